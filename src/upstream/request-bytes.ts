/**
 * A request as it goes over the wire: a small one in one piece, so that it is one packet; a large body behind its head,
 * so that it is in memory once. Of a streamed body there is nothing yet but how it will be framed.
 */
import type { UpstreamRequest } from './client.ts';
import { fieldLines, isToken } from './header-block.ts';

export interface RequestBytes {
  readonly first: Uint8Array;
  readonly rest: Uint8Array | null;
}

/** What is cheaper to copy than to send by a system call of its own. */
const COPIED_BYTES_MAX = 16 * 1024;
const NOT_IN_A_TARGET = /[^\x21-\x7e]+/g;

/**
 * @param basePath path of the base URL, '' or starting with a slash
 * @throws Error when the method or a header field cannot be sent
 */
export function requestBytes(request: UpstreamRequest, basePath: string, host: string): RequestBytes {
  const { method, target, common, headers, traceparent } = request;
  if (!isToken(method)) throw new Error('invalid method');
  const path = basePath + target.replace(NOT_IN_A_TARGET, (text) => encodeURI(text.toWellFormed()));
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${common?.text ?? ''}${fieldLines(headers)}`;
  if (traceparent) head += `traceparent: ${traceparent}\r\n`;
  const { body } = request;
  if (body === null) return { first: Buffer.from(`${head}\r\n`, 'latin1'), rest: null };
  if (body instanceof ReadableStream)
    return { first: Buffer.from(`${head}${framingOf(request.bodyBytes)}\r\n\r\n`, 'latin1'), rest: null };
  head += `content-length: ${body.length}\r\n\r\n`;
  if (body.length > COPIED_BYTES_MAX) return { first: Buffer.from(head, 'latin1'), rest: body };
  const first = Buffer.allocUnsafe(head.length + body.length);
  first.write(head, 'latin1');
  first.set(body, head.length);
  return { first, rest: null };
}

function framingOf(bodyBytes: number | undefined): string {
  return bodyBytes === undefined ? 'transfer-encoding: chunked' : `content-length: ${bodyBytes}`;
}
