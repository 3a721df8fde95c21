/** GET /v1/models for a key that may use only some of them: the one answer that is read and written anew. */
import { GatewayError } from '../errors.ts';
import { Deadline } from '../http/deadlines.ts';
import { type BodySink, UpstreamError, type UpstreamRequest, type UpstreamSink } from '../upstream/client.ts';
import type { Exchange } from './exchange.ts';
import type { Gateway } from './gateway.ts';
import { clientHeaders } from './headers.ts';
import { Meter } from './meter.ts';

/** A list of models has some kilobytes; what is larger than this is not one. */
const LIST_BYTES_MAX = 4 * 1024 * 1024;

export async function fetchAllowedModels(
  request: UpstreamRequest,
  allowed: readonly string[],
  exchange: Exchange,
  gateway: Gateway,
): Promise<Response> {
  const answer = await collect(request, exchange, gateway);
  const { status, headers } = answer;
  if (status >= 500) throw new GatewayError('upstream_error', `Upstream answered with status ${status}`);
  const body = status === 200 ? JSON.stringify(onlyAllowed(answer.body, allowed)) : answer.body;
  if (!headers.get('x-request-id')) headers.set('x-request-id', exchange.requestId);
  exchange.status = status;
  exchange.meter = new Meter('opaque', 'none');
  exchange.meter.push(typeof body === 'string' ? new TextEncoder().encode(body) : body);
  exchange.settle(status >= 400 ? 'error' : 'complete', null);
  return new Response(body as string | Uint8Array<ArrayBuffer>, { status, headers });
}

function onlyAllowed(body: Uint8Array, allowed: readonly string[]): object {
  try {
    const list = JSON.parse(new TextDecoder().decode(body)) as { data: { id: string }[] };
    return { ...list, data: list.data.filter((model) => allowed.includes(model.id)) };
  } catch (error) {
    throw new GatewayError('upstream_error', 'Upstream sent an invalid list of models', { cause: error });
  }
}

interface Collected {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

function collect(request: UpstreamRequest, exchange: Exchange, gateway: Gateway): Promise<Collected> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    let status = 0;
    let headers = new Headers();
    const deadline = new Deadline(performance.now() + gateway.limits.upstreamHeadTimeoutMs, (cut) => {
      reject(cut ?? new GatewayError('upstream_timeout', 'Upstream did not answer in time'));
      call.abort();
    });
    const over = () => gateway.deadlines.delete(deadline);
    const fail = (error: UpstreamError) => {
      over();
      reject(error);
    };
    const body: BodySink = {
      data: (part) => {
        bytes += part.length;
        if (bytes <= LIST_BYTES_MAX) parts.push(part.slice());
        else {
          reject(new UpstreamError('protocol', 'Upstream sent too long a list of models'));
          call.abort();
        }
      },
      end: () => {
        over();
        resolve({ status, headers, body: Buffer.concat(parts) });
      },
      fail,
    };
    const sink: UpstreamSink = {
      head: (upstreamStatus, upstream) => {
        exchange.onFirstByte();
        status = upstreamStatus;
        headers = clientHeaders(upstream, exchange.elapsedMs);
        return body;
      },
      fail,
    };
    const call = gateway.client.send(request, sink, exchange.request.signal);
    gateway.deadlines.add(deadline);
  });
}
