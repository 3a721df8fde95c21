/** A request as it goes over the wire: head and body in one piece, so that a small one is one packet. */
import type { UpstreamRequest } from './client.ts';

const NOT_IN_A_TARGET = /[^\x21-\x7e]/;
/** What would end a field and begin another. The values come from parsed headers; this is the second lock on that door. */
const NOT_IN_A_FIELD = /[\r\n\0]/;

/**
 * @param basePath path of the base URL, '' or starting with a slash
 * @throws Error when a header field cannot be sent
 */
export function requestBytes(request: UpstreamRequest, basePath: string, host: string): Uint8Array {
  const target = NOT_IN_A_TARGET.test(request.target) ? encodeURI(request.target) : request.target;
  let head = `${request.method} ${basePath}${target} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const [name, value] of request.headers) {
    if (NOT_IN_A_FIELD.test(value)) throw new Error(`header field ${name} has a line break`);
    head += `${name}: ${value}\r\n`;
  }
  if (request.body === null) return Buffer.from(`${head}\r\n`, 'latin1');
  head += `content-length: ${request.body.length}\r\n\r\n`;
  const bytes = Buffer.allocUnsafe(head.length + request.body.length);
  bytes.write(head, 'latin1');
  bytes.set(request.body, head.length);
  return bytes;
}
