/** What of a request line and its Host header Bun lets pass although it is not valid HTTP. */
import { GatewayError } from '../errors.ts';

/** RFC 3986, section 3.2, without the comma: Bun joins two Host lines by one. Empty is allowed (RFC 9110, section 7.2). */
const HOST = /^(?:[A-Za-z0-9\-._~%!$&'()*+;=]*|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/;

/** @returns why the request is refused, null for nearly all */
export function refusalOfTarget(request: Request): GatewayError | null {
  const host = request.headers.get('host');
  // HTTP/1.0 needs none; in HTTP/1.1 Bun refuses a request without one.
  if (host !== null && !HOST.test(host)) return new GatewayError('invalid_request', "Invalid header 'host'");
  // RFC 9112, section 3.2: a request target has no fragment.
  if (request.url.includes('#')) return new GatewayError('invalid_request', 'The request target has a fragment');
  return null;
}
