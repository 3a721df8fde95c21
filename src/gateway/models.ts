/** GET /v1/models for a key that may use only some of them: the one answer that is read and written anew. */
import { GatewayError } from '../errors.ts';
import { ModelList } from '../formats/model-list.ts';
import { OPAQUE } from '../formats/opaque.ts';
import { Deadline } from '../http/deadlines.ts';
import { inSlices } from '../http/time-slices.ts';
import { type BodySink, UpstreamError, type UpstreamRequest, type UpstreamSink } from '../upstream/client.ts';
import { type Exchange, isJsonType } from './exchange.ts';
import type { Gateway } from './gateway.ts';
import { clientHeaders } from './headers.ts';
import { Meter } from './meter.ts';
import { refusalInstead } from './refused-answer.ts';

/** A list of models has some kilobytes; what is larger than this is not one. */
const LIST_BYTES_MAX = 4 * 1024 * 1024;
/** Longer ones are read in slices, as long request bodies are. */
const AT_ONCE_BYTES_MAX = 64 * 1024;
const STATUSES_WITHOUT_BODY = new Set([204, 205, 304]);

export async function fetchAllowedModels(
  request: UpstreamRequest,
  allowed: readonly string[],
  exchange: Exchange,
  gateway: Gateway,
): Promise<Response> {
  const { status, headers, body } = await collect(request, exchange, gateway);
  const isJson = isJsonType(headers.get('content-type') ?? '');
  if (exchange.refuses(status, isJson)) throw refusalInstead(status, isJson ? body : null, gateway.keyMask);
  const list = new ModelList(body, allowed);
  if (body.length > AT_ONCE_BYTES_MAX) await inSlices(list);
  else while (!list.step());
  const filtered = list.filtered();
  // Whatever the status, what may be a list does not pass unfiltered; another answer than a list is no secret.
  if (filtered === null && status < 300 && !STATUSES_WITHOUT_BODY.has(status))
    throw new GatewayError('upstream_error', 'Upstream sent an invalid list of models');
  if (filtered !== null && status === 200) gateway.onModelList?.(body);
  const passed = filtered ?? (status >= 400 ? gateway.keyMask.masked(body) : body);
  if (!headers.get('x-request-id')) headers.set('x-request-id', exchange.requestId);
  exchange.status = status;
  exchange.meter = new Meter(OPAQUE, 'none');
  exchange.meter.push(passed);
  exchange.onSettled('complete', null);
  return new Response(STATUSES_WITHOUT_BODY.has(status) ? null : (passed as Uint8Array<ArrayBuffer>), {
    status,
    headers,
  });
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
        if (bytes <= LIST_BYTES_MAX) parts.push(new Uint8Array(part));
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
        exchange.onHead(upstreamStatus, upstream);
        exchange.onFirstByte();
        status = upstreamStatus;
        headers = clientHeaders(upstream, exchange.elapsedMs, upstreamStatus >= 400, gateway.extraHeaders);
        return body;
      },
      fail,
    };
    const { signal } = exchange.request;
    exchange.onSent();
    const call = gateway.client.send(request, sink, signal);
    // Behind the client's own listener, which has cancelled it by then.
    signal.addEventListener('abort', () => exchange.onCancelled(0), { once: true });
    gateway.deadlines.add(deadline);
  });
}
