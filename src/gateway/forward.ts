/**
 * The way of a request: authenticate → limit → (in a burst, wait a moment) → read what must be known → send → relay
 * (the meter looks on) → settle.
 * Each word is one file with one job; the branches are here.
 */
import { GatewayError } from '../errors.ts';
import { TextCompletionFilter } from '../formats/text-completion.ts';
import { UsageEventFilter } from '../formats/usage-event-filter.ts';
import { withUsageRequested } from '../formats/usage-request.ts';
import { type BodyFields, readFields } from '../http/body-fields.ts';
import { routeNotFound } from '../http/route.ts';
import { openUpload } from '../http/uploads.ts';
import { type ApiKey, asksForStreamUsage } from '../keys/key.ts';
import type { Admission, Granted } from '../limits/limiter.ts';
import type { UpstreamRequest } from '../upstream/client.ts';
import { checkModel, checkModelFields, checkModelQuery } from './allowed-models.ts';
import { authenticate, checkEndpoint } from './authenticate.ts';
import { type Endpoint, isOfAnother } from './endpoints.ts';
import { Exchange } from './exchange.ts';
import { FormFields } from './form-fields.ts';
import type { Gateway } from './gateway.ts';
import { clientFields } from './headers.ts';
import { asChatCompletion } from './legacy-completion.ts';
import { checkMetered } from './metered-requests.ts';
import { shortModelName } from './model-name.ts';
import { fetchAllowedModels } from './models.ts';
import { relay } from './relay.ts';
import { asksForStream, isUnescaped, modelOf, upstreamTarget } from './target.ts';

/** Never rejects: whatever goes wrong is answered in the envelope of the endpoint. */
export async function forward(request: Request, endpoint: Endpoint, gateway: Gateway): Promise<Response> {
  const exchange = new Exchange(request, endpoint, gateway);
  try {
    const answer = authenticate(request, gateway.keys);
    const key = answer instanceof Promise ? await answer : answer;
    exchange.key = key;
    checkEndpoint(key, endpoint.group);
    // Before the limits, so that a request the gateway has no room for uses up none of them.
    exchange.takePermit();
    const admission = gateway.limiter.admit(key, Date.now());
    exchange.admission = granted(admission instanceof Promise ? await admission : admission);
    const delay = gateway.bursts.delay(exchange.arrivedAtMs);
    if (delay !== null) await delay;
    const target = upstreamTarget(request.url, endpoint.mountedAt ?? endpoint.path);
    if (target === null || !isOwnPath(target, endpoint)) throw routeNotFound(request);
    if (endpoint.body === 'form' && isForm(request)) return await relayForm(exchange, key, target, gateway);
    const body = endpoint.body === 'none' ? null : await gateway.bodies.read(request, exchange);
    exchange.bodyWasRead = body !== null;
    const read = body && (body.length > 0 || endpoint.body === 'json') ? readFields(body) : null;
    const fields = read instanceof Promise ? await read : read;
    let upstreamRequest = prepare(exchange, key, target, body, fields, gateway);
    if (endpoint.isLegacyCompletion && body && fields) {
      upstreamRequest = await asChatCompletion(upstreamRequest, body, fields.stream);
      exchange.rewriting = new TextCompletionFilter();
    }
    gateway.connections.liftIdleTimeout(request);
    if (endpoint.models === 'list' && key.allowedModels) {
      return await fetchAllowedModels(upstreamRequest, key.allowedModels, exchange, gateway);
    }
    return await answerOf(upstreamRequest, exchange, gateway);
  } catch (error) {
    return exchange.refuse(error);
  }
}

/** Whether it can be taken for no other endpoint's path. */
function isOwnPath(target: string, endpoint: Endpoint): boolean {
  const path = `/v1${target.split('?', 1)[0]}`;
  if (endpoint.models !== null || endpoint.path === path) return true;
  return isUnescaped(target) && !isOfAnother(endpoint, path);
}

function isForm(request: Request): boolean {
  return /^\s*multipart\//i.test(request.headers.get('content-type') ?? '');
}

/** A form is streamed, and what must be known of it is found on its way. */
async function relayForm(exchange: Exchange, key: ApiKey, target: string, gateway: Gateway): Promise<Response> {
  const { request, endpoint } = exchange;
  if (key.allowedModels) checkModelQuery(target);
  const rules = { allowedModels: key.allowedModels, needsModel: endpoint.generates };
  const fields = new FormFields(request.headers.get('content-type') ?? '', rules, exchange);
  const upload = openUpload(request, exchange, fields, gateway.uploads);
  exchange.upload = upload;
  const upstreamRequest: UpstreamRequest = {
    method: endpoint.method,
    target,
    headers: clientFields(request.headers, exchange.clientRequestId, exchange.trace),
    body: upload.stream,
    bodyBytes: upload.bytes,
    bulk: endpoint.bulk,
    owner: exchange,
  };
  gateway.connections.liftIdleTimeout(request);
  return await answerOf(upstreamRequest, exchange, gateway);
}

async function answerOf(upstreamRequest: UpstreamRequest, exchange: Exchange, gateway: Gateway): Promise<Response> {
  const response = (await relay(upstreamRequest, exchange.request.signal, exchange, gateway)).response();
  const wait = exchange.announced?.wait();
  if (wait !== undefined) await wait;
  return response;
}

function granted(admission: Admission): Granted {
  if (admission.granted) return admission;
  const { limit, message, retryAfterS } = admission;
  if (limit === null) throw new GatewayError('overloaded', message, { retryAfterS, reason: 'limits' });
  throw new GatewayError('rate_limit_exceeded', message, { retryAfterS });
}

function prepare(
  exchange: Exchange,
  key: ApiKey,
  target: string,
  read: Uint8Array | null,
  fields: BodyFields | null,
  gateway: Gateway,
): UpstreamRequest {
  const { request, endpoint } = exchange;
  let body = read;
  const model = endpoint.models === 'one' ? modelOf(target) : (fields?.model ?? null);
  exchange.wantedModel = model;
  if (model !== null) exchange.model = shortModelName(model);
  exchange.streamed = fields ? fields.stream : endpoint.method === 'GET' && asksForStream(target);
  if (fields && key.monthlyTokenLimit !== null) checkMetered(endpoint.isRun, fields);
  if (key.allowedModels) {
    checkModelQuery(target);
    if (endpoint.generates || model !== null) checkModel(key.allowedModels, model);
    if (body && fields) checkModelFields(key.allowedModels, body, fields);
  }
  if (body && fields?.stream && endpoint.usageOnRequest) body = askForUsage(exchange, key, body, fields, gateway);
  // A list that is read here must come with its body, whoever asks for it.
  const isFiltered = endpoint.models === 'list' && key.allowedModels !== null;
  const method = request.method === 'HEAD' && !isFiltered ? 'HEAD' : endpoint.method;
  const headers = clientFields(request.headers, exchange.clientRequestId, exchange.trace);
  return { method, target, headers, body, bulk: endpoint.bulk, owner: exchange };
}

function askForUsage(
  exchange: Exchange,
  key: ApiKey,
  body: Uint8Array,
  { found }: BodyFields,
  gateway: Gateway,
): Uint8Array {
  const asking = asksForStreamUsage(key, gateway.injectStreamUsage) ? withUsageRequested(body, found) : null;
  if (asking === null) return body;
  exchange.usageFilter = new UsageEventFilter();
  gateway.bodies.replace(asking, exchange);
  return asking;
}
