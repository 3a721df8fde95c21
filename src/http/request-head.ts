/**
 * Refuses invalid request heads, and sets how large a head may be. Bun.serve parses heads itself: what it refuses
 * never gets here (ARCHITECTURE.md has the list), and some of what it lets pass is not valid HTTP.
 */
import http from 'node:http';
import { GatewayError } from '../errors.ts';

/** Bun's own 16 kB are few for long tokens and traces; beyond this its answer is an empty 431. */
const HEAD_BYTES_MAX = 64 * 1024;

/** RFC 3986, section 3.2, without the comma: Bun joins two Host lines by one. Empty is allowed (RFC 9110, section 7.2). */
const HOST = /^(?:[A-Za-z0-9\-._~%!$&'()*+;=]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;

/** For every server of this process that is started afterwards. In Node this property cannot be set, in Bun it can. */
export function raiseHeadBytesMax(): void {
  (http as { maxHeaderSize: number }).maxHeaderSize = HEAD_BYTES_MAX;
}

/** @returns why the request is refused, null for nearly all */
export function refusalOfHead(request: Request): GatewayError | null {
  const { headers } = request;
  const host = headers.get('host');
  // HTTP/1.0 needs none; in HTTP/1.1 Bun refuses a request without one.
  if (host !== null && !HOST.test(host)) return new GatewayError('invalid_request', "Invalid header 'host'");
  // RFC 9112, section 3.2: a request target has no fragment.
  if (request.url.includes('#')) return new GatewayError('invalid_request', 'The request target has a fragment');
  // Bun takes them for a next request, which would break the answer to this one.
  if (headers.get('trailer') !== null)
    return new GatewayError('invalid_request', "Trailer fields are not supported: remove header 'trailer'");
  return null;
}
