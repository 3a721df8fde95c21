/** An HTTP/1.1 client on a bare socket: sends exactly what it is given, and reports how the connection ended. */
import { connect, type Socket } from 'node:net';
import { AnswerDecoder, GrowingBytes } from './answer-decoder.ts';

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case, in the order of the wire. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  header(name: string): string | null;
  /** Without the framing. */
  readonly body: Uint8Array;
  /** The last chunk, or as many bytes as announced, came: any client takes the answer for complete. */
  readonly complete: boolean;
  readonly ended: 'keep-alive' | 'closed' | 'reset';
  /** All bytes as received. */
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

/** Sends a text unchanged, on a connection of its own. */
export async function rawText(port: number, text: string): Promise<RawAnswer> {
  const socket = await connectTo(port);
  socket.write(text, 'latin1');
  const answer = await readAnswer(socket);
  socket.destroy();
  return answer;
}

export function readAnswer(socket: Socket): Promise<RawAnswer> {
  return new Promise((resolve) => {
    const received = new GrowingBytes();
    const decoder = new AnswerDecoder();
    const finish = (ended: RawAnswer['ended']) => {
      socket.off('data', onData);
      resolve(answerOf(received.bytes, decoder, ended));
    };
    const onData = (part: Buffer) => {
      received.append(part);
      if (decoder.read(received.bytes)) finish('keep-alive');
    };
    socket.on('data', onData);
    socket.once('end', () => finish('closed'));
    socket.once('error', () => finish('reset'));
    socket.once('close', () => finish('closed'));
  });
}

/** @param raw all bytes of a connection */
export function parse(raw: Buffer, ended: RawAnswer['ended']): RawAnswer {
  return answerOf(raw, new AnswerDecoder(), ended);
}

function answerOf(raw: Buffer, decoder: AnswerDecoder, ended: RawAnswer['ended']): RawAnswer {
  const isWhole = decoder.complete || decoder.read(raw);
  const body = isWhole ? Buffer.concat(decoder.chunks) : decoder.bodySoFar(raw);
  return {
    status: decoder.status,
    headers: decoder.headers.map(([name, value]) => [name.toLowerCase(), value]),
    header: (name) => decoder.header(name) ?? null,
    body,
    // With neither length nor chunks the end of the connection is the end of the body.
    complete: isWhole || (ended === 'closed' && decoder.endsWithConnection),
    ended,
    raw,
  };
}
