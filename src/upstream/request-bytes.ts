/**
 * A request as it goes over the wire: head and body in one piece, so that a small one is one packet. Of a streamed body
 * there is nothing yet but how it will be framed.
 */
import type { UpstreamRequest } from './client.ts';
import { fieldLines, isToken } from './header-block.ts';

const NOT_IN_A_TARGET = /[^\x21-\x7e]+/g;

/**
 * @param basePath path of the base URL, '' or starting with a slash
 * @throws Error when the method or a header field cannot be sent
 */
export function requestBytes(request: UpstreamRequest, basePath: string, host: string): Uint8Array {
  const { method, target, common, headers } = request;
  if (!isToken(method)) throw new Error('invalid method');
  const path = basePath + target.replace(NOT_IN_A_TARGET, (text) => encodeURI(text.toWellFormed()));
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${common?.text ?? ''}${fieldLines(headers)}`;
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
