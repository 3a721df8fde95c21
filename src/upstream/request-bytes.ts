/**
 * A request as it goes over the wire: head and body in one piece, so that a small one is one packet. Of a streamed body
 * there is nothing yet but how it will be framed.
 */
import type { UpstreamRequest } from './client.ts';

const NOT_IN_A_TARGET = /[^\x21-\x7e]+/g;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/**
 * What would end a field and begin another. The values come from parsed headers; this is the second lock on that door.
 * Nothing above Latin-1 either: of U+010A it would keep the low byte, a line feed.
 */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * @param basePath path of the base URL, '' or starting with a slash
 * @throws Error when the method or a header field cannot be sent
 */
export function requestBytes(request: UpstreamRequest, basePath: string, host: string): Uint8Array {
  const target = request.target.replace(NOT_IN_A_TARGET, (text) => encodeURI(text.toWellFormed()));
  if (!TOKEN.test(request.method)) throw new Error('invalid method');
  let head = `${request.method} ${basePath}${target} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const [name, value] of request.headers) {
    if (!TOKEN.test(name) || !FIELD_VALUE.test(value)) throw new Error('invalid header field');
    head += `${name}: ${value}\r\n`;
  }
  const { body } = request;
  if (body === null) return Buffer.from(`${head}\r\n`, 'latin1');
  if (body instanceof ReadableStream) return Buffer.from(`${head}${framingOf(request.bodyBytes)}\r\n\r\n`, 'latin1');
  head += `content-length: ${body.length}\r\n\r\n`;
  const bytes = Buffer.allocUnsafe(head.length + body.length);
  bytes.write(head, 'latin1');
  bytes.set(body, head.length);
  return bytes;
}

function framingOf(bodyBytes: number | undefined): string {
  return bodyBytes === undefined ? 'transfer-encoding: chunked' : `content-length: ${bodyBytes}`;
}
