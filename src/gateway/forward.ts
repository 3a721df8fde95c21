/**
 * The story of a request: authenticate → limit → read what must be known → send → relay (the meter looks on) → settle.
 * Each word is one file with one job; the branches are here.
 */
import { GatewayError } from '../errors.ts';
import type { ApiKey } from '../keys/key.ts';
import type { Admission, Granted } from '../limits/limiter.ts';
import type { ResponseHeaders, UpstreamRequest } from '../upstream/client.ts';
import { authenticate } from './authenticate.ts';
import type { Endpoint } from './endpoints.ts';
import { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';
import { clientHeaders, upstreamHeaders } from './headers.ts';
import { interruptionEvent } from './interruption.ts';
import { Meter } from './meter.ts';
import { fetchAllowedModels } from './models.ts';
import { type Acceptance, relay } from './relay.ts';
import { readBody, readFields } from './request-body.ts';
import { lastSegment, pathOf, upstreamTarget } from './target.ts';
import { UsageEventFilter } from './usage-event-filter.ts';
import { withUsageRequested } from './usage-request.ts';

/** Never rejects: whatever goes wrong is answered in the envelope of the endpoint. */
export async function forward(request: Request, endpoint: Endpoint, gateway: Gateway): Promise<Response> {
  const exchange = new Exchange(request, endpoint, gateway);
  try {
    const answer = authenticate(request, endpoint.acceptsXApiKey, gateway.keys);
    const key = answer instanceof Promise ? await answer : answer;
    exchange.key = key;
    // Before the limits, so that a request the gateway has no room for uses up none of them.
    exchange.takeSlot();
    const admission = gateway.limiter.admit(key, Date.now());
    exchange.admission = granted(admission instanceof Promise ? await admission : admission);
    const upstreamRequest = await prepare(exchange, key, gateway);
    gateway.connections.allowQuiet(request);
    if (endpoint.models === 'list' && key.allowedModels) {
      return await fetchAllowedModels(upstreamRequest, key.allowedModels, exchange, gateway);
    }
    return await relay(gateway.client, upstreamRequest, request.signal, {
      limits: gateway.limits,
      deadlines: gateway.deadlines,
      accept: (status, headers) => accept(exchange, status, headers),
      onFirstByte: () => exchange.markFirstByte(),
      onSettled: (finish, error) =>
        exchange.settle(finish === 'complete' && exchange.status >= 400 ? 'error' : finish, error),
    });
  } catch (error) {
    return exchange.refuse(error);
  }
}

function granted(admission: Admission): Granted {
  if (admission.granted) return admission;
  const { limit, message, retryAfterS } = admission;
  throw new GatewayError(limit === null ? 'overloaded' : 'rate_limit_exceeded', message, { retryAfterS });
}

async function prepare(exchange: Exchange, key: ApiKey, gateway: Gateway): Promise<UpstreamRequest> {
  const { request, endpoint } = exchange;
  const target = upstreamTarget(request.url, endpoint.path);
  if (target === null) throw routeNotFound(request);
  const { maxBodyBytes, requestBodyTimeoutMs } = gateway.limits;
  let body: Uint8Array | null = null;
  if (endpoint.body === 'json') {
    body = await readBody(request, maxBodyBytes, requestBodyTimeoutMs, gateway.deadlines);
    exchange.bodyWasRead = true;
    const fields = readFields(body);
    exchange.model = fields.model;
    exchange.streamed = fields.stream;
    if (fields.stream && endpoint.usageOnRequest) body = askForUsage(exchange, key, body, gateway);
  } else if (endpoint.models === 'one') {
    exchange.model = lastSegment(target);
  }
  if (endpoint.models !== 'list') checkModel(key, exchange.model);
  const headers = upstreamHeaders(request.headers, gateway.fuelixApiKey, gateway.userAgent);
  return { method: endpoint.method, target, headers, body };
}

function askForUsage(exchange: Exchange, key: ApiKey, body: Uint8Array, gateway: Gateway): Uint8Array {
  const asking = gateway.injectStreamUsage || key.injectStreamUsage ? withUsageRequested(body) : null;
  if (asking) exchange.usageFilter = new UsageEventFilter();
  return asking ?? body;
}

function checkModel(key: ApiKey, model: string | null): void {
  if (!key.allowedModels) return;
  // Without a model upstream would choose one, which may not be among the allowed.
  if (model === null)
    throw new GatewayError('invalid_request', "Missing field 'model': this API key is limited to certain models");
  if (!key.allowedModels.includes(model)) {
    throw new GatewayError('model_not_allowed', `Model '${model}' is not allowed for this API key`);
  }
}

export function routeNotFound(request: Request): GatewayError {
  return new GatewayError('route_not_found', `Route ${request.method} ${pathOf(request.url)} not found`);
}

function accept(exchange: Exchange, status: number, upstream: ResponseHeaders): Acceptance {
  const { endpoint, streamed } = exchange;
  // Fetch takes 1xx for itself; what is beyond 599 is no HTTP status and could not be sent on.
  if (status < 200 || status > 599 || (!streamed && status >= 500)) {
    throw new GatewayError('upstream_error', `Upstream answered with status ${status}`);
  }
  const contentType = upstream.get('content-type') ?? '';
  const isEventStream = /^\s*text\/event-stream\b/i.test(contentType);
  const isJson = /^[^;]*\bjson\b/i.test(contentType);
  const meter = new Meter(endpoint.format, isEventStream ? 'sse' : isJson ? 'json' : 'none');
  exchange.meter = meter;
  exchange.status = status;
  const headers = clientHeaders(upstream, exchange.elapsedMs);
  if (!streamed && !headers.get('x-request-id')) headers.set('x-request-id', exchange.requestId);
  return {
    status,
    headers,
    meter,
    filter: isEventStream ? exchange.usageFilter : null,
    interruption: isEventStream ? interruptionEvent(endpoint.format) : null,
    endsByTerminalEvent:
      isEventStream && upstream.get('transfer-encoding') === null && upstream.get('content-length') === null,
  };
}
