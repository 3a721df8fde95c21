/** An HTTP/1.1 client on a bare socket: sends exactly what it is told, and tells how the connection really ended. */
import { connect, type Socket } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case, in the order of the wire. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  header(name: string): string | null;
  /** Without the framing. */
  readonly body: Uint8Array;
  /** The last chunk, or as many bytes as announced, came: the answer looks complete to any client. */
  readonly complete: boolean;
  readonly ended: 'keep-alive' | 'closed' | 'reset';
  /** All bytes as they came. */
  readonly raw: Uint8Array;
}

export interface RawRequest {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export function connectTo(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });
}

export function requestBytes(request: RawRequest): Buffer {
  const body = Buffer.from(request.body ?? '');
  const headers: Record<string, string> = { host: '127.0.0.1', ...request.headers };
  if (request.body !== undefined && !('transfer-encoding' in headers))
    headers['content-length'] ??= String(body.length);
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.concat([
    Buffer.from(`${request.method ?? 'POST'} ${request.path} HTTP/1.1\r\n${head.join('')}\r\n`),
    body,
  ]);
}

/** Sends one request on a connection of its own and reads until the answer is complete or the connection ends. */
export async function rawRequest(port: number, request: RawRequest): Promise<RawAnswer> {
  const socket = await connectTo(port);
  socket.write(requestBytes(request));
  const answer = await readAnswer(socket);
  socket.destroy();
  return answer;
}

/** Sends a text as it is, on a connection of its own. */
export async function rawText(port: number, text: string): Promise<RawAnswer> {
  const socket = await connectTo(port);
  socket.write(text, 'latin1');
  const answer = await readAnswer(socket);
  socket.destroy();
  return answer;
}

export function readAnswer(socket: Socket): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let tail = Buffer.alloc(0);
    let bytes = 0;
    let bytesWanted: number | undefined;
    const finish = (ended: RawAnswer['ended']) => {
      socket.off('data', onData);
      resolve(parse(Buffer.concat(parts), ended));
    };
    const onData = (part: Buffer) => {
      parts.push(part);
      bytes += part.length;
      tail = Buffer.concat([tail, part]).subarray(-LAST_CHUNK.length);
      bytesWanted ??= announcedBytes(parts);
      // The whole is parsed only when its end may be here: answers in thousands of tiny chunks must not cost a square.
      if (bytesWanted === undefined ? !tail.equals(LAST_CHUNK) : bytes < bytesWanted) return;
      if (parse(Buffer.concat(parts), 'keep-alive').complete) finish('keep-alive');
    };
    socket.on('data', onData);
    socket.once('end', () => finish('closed'));
    socket.once('error', () => finish('reset'));
    socket.once('close', () => finish('closed'));
  });
}

const LAST_CHUNK = Buffer.from('0\r\n\r\n');

/** Head and body together, when the answer has a content-length or no body; undefined while that is not known. */
function announcedBytes(parts: readonly Buffer[]): number | undefined {
  if (parts.length > 100) return undefined;
  const start = Buffer.concat(parts);
  const headEnd = start.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const head = start.toString('latin1', 0, headEnd);
  const length =
    /\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? (/^HTTP\/1.1 (204|304) /.test(head) ? '0' : undefined);
  return length === undefined ? undefined : headEnd + 4 + Number(length);
}

export function parse(raw: Buffer, ended: RawAnswer['ended']): RawAnswer {
  const headEnd = raw.indexOf('\r\n\r\n');
  if (headEnd === -1) return answerOf(0, [], new Uint8Array(), false, ended, raw);
  const [statusLine, ...lines] = raw.subarray(0, headEnd).toString('latin1').split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const status = Number(statusLine!.split(' ')[1]);
  const rest = raw.subarray(headEnd + 4);
  const headerOf = (name: string) => headers.find(([candidate]) => candidate === name)?.[1];
  if (status === 204 || status === 304) return answerOf(status, headers, new Uint8Array(), true, ended, raw);
  if (headerOf('transfer-encoding') === 'chunked') {
    const { body, complete } = dechunk(rest);
    return answerOf(status, headers, body, complete, ended, raw);
  }
  const length = headerOf('content-length');
  const complete = length === undefined ? ended === 'closed' : rest.length >= Number(length);
  return answerOf(
    status,
    headers,
    rest.subarray(0, length === undefined ? undefined : Number(length)),
    complete,
    ended,
    raw,
  );
}

function dechunk(bytes: Buffer): { body: Uint8Array; complete: boolean } {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return { body: Buffer.concat(parts), complete: false };
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (size === 0) return { body: Buffer.concat(parts), complete: bytes.length >= lineEnd + 4 };
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
    if (at > bytes.length) return { body: Buffer.concat(parts), complete: false };
  }
}

function answerOf(
  status: number,
  headers: RawAnswer['headers'],
  body: Uint8Array,
  complete: boolean,
  ended: RawAnswer['ended'],
  raw: Uint8Array,
): RawAnswer {
  const header = (name: string) => headers.find(([candidate]) => candidate === name)?.[1] ?? null;
  return { status, headers, header, body, complete, ended, raw };
}
