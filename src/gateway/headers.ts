/**
 * Both allow-lists (contract, sections 1 and 2) and the identity of a request. What is on neither list does not pass:
 * a new header of upstream or of a client reaches the other side only when it is added here.
 */
import { GatewayError } from '../errors.ts';
import type { HeaderReader } from '../http/request-id.ts';
import type { ResponseHeaders } from '../upstream/client.ts';
import type { HeaderField } from '../upstream/header-block.ts';
import { ExtraHeaders } from './extra-headers.ts';

/** Of each attempt there is one of ours when requests are traced. */
const TRACEPARENT = 'traceparent';
/** Means nothing without a valid traceparent (W3C Trace Context). */
const TRACESTATE = 'tracestate';

/** Client → Fuelix. Credentials, accept-encoding and user-agent are ours (`gatewayFields`); x-request-id only when it is valid. */
const REQUEST_ALLOW_LIST = [
  'content-type',
  'accept',
  'openai-beta',
  'anthropic-version',
  'anthropic-beta',
  'idempotency-key',
  TRACEPARENT,
  TRACESTATE,
] as const;
const TRACED = REQUEST_ALLOW_LIST.filter((name) => name !== TRACEPARENT);
const TRACED_FROM_HERE = TRACED.filter((name) => name !== TRACESTATE);

/** Fuelix → client. */
const RESPONSE_ALLOW_LIST = [
  'content-type',
  'cache-control',
  'x-request-id',
  'x-quota-allowed',
  'x-quota-available',
  'x-quota-reset',
] as const;

/** Fuelix → client, with an error: SDKs wait by them. */
const RETRY_HEADERS = ['retry-after', 'retry-after-ms', 'x-should-retry'] as const;

/** Fuelix → client, with downloads: files, audio. */
const DOWNLOAD_HEADERS = ['content-disposition', 'content-length'] as const;

const NO_EXTRA = new ExtraHeaders('');

/** RFC 9110, section 5.5. Bun lets DEL pass, and what Latin-1 has above ASCII. */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** The fields that replace the client's own in every request to Fuelix. */
export function gatewayFields(fuelixApiKey: string, userAgent: string): HeaderField[] {
  return [
    ['authorization', `Bearer ${fuelixApiKey}`],
    ['accept-encoding', 'identity'],
    // fetch would send its own otherwise.
    ['user-agent', userAgent],
  ];
}

/**
 * Of a client's headers, what goes upstream.
 * @param requestId the client's own, if it has the allowed form
 * @param trace null without traces; `parent` is what the client's traceparent says
 * @throws GatewayError invalid_request naming the header that cannot be sent on
 */
export function clientFields(
  headers: HeaderReader,
  requestId: string | null,
  trace: { readonly parent: unknown } | null = null,
): HeaderField[] {
  const fields: HeaderField[] = [];
  const names = trace === null ? REQUEST_ALLOW_LIST : trace.parent === null ? TRACED_FROM_HERE : TRACED;
  for (const name of names) {
    const value = headers.get(name);
    if (value === null) continue;
    if (!FIELD_VALUE.test(value)) throw new GatewayError('invalid_request', `Invalid character in header '${name}'`);
    fields.push([name, value]);
  }
  if (requestId !== null) fields.push(['x-request-id', requestId]);
  return fields;
}

/** The headers of a relayed answer: the allow-list, and how long the gateway and upstream took until its head. */
export function clientHeaders(
  upstream: ResponseHeaders,
  latencyMs: number,
  isError: boolean,
  extra: ExtraHeaders = NO_EXTRA,
): Headers {
  const out = new Headers();
  for (const name of extra.namesIn(upstream)) passOn(upstream, name, out);
  for (const name of RESPONSE_ALLOW_LIST) passOn(upstream, name, out);
  if (isError) for (const name of RETRY_HEADERS) passOn(upstream, name, out);
  out.set('X-BVE-Latency', String(Math.max(0, Math.floor(latencyMs))));
  return out;
}

/** Added to the headers of an answer whose body passes unchanged. */
export function passDownloadHeaders(upstream: ResponseHeaders, to: Headers): void {
  for (const name of DOWNLOAD_HEADERS) passOn(upstream, name, to);
}

/** A value that cannot be sent on (control characters, beyond Latin-1) is dropped rather than failing the answer. */
function passOn(upstream: ResponseHeaders, name: string, to: Headers): void {
  const value = upstream.get(name);
  if (value === null) return;
  try {
    to.set(name, value);
  } catch {
    // Headers.set has checked it; there is nothing to add.
  }
}
