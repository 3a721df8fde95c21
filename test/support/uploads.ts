/** Uploads that end in unusual ways, on a bare socket. */
import type { Socket } from 'node:net';
import { connectTo, type RawAnswer, readAnswer } from './raw-client.ts';

interface UploadHead {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function headText({ path, headers }: UploadHead): string {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** Sends a head and the start of a body, and keeps the connection open for the rest. */
export async function beginUpload(
  port: number,
  head: UploadHead,
  start = '',
): Promise<{ socket: Socket; answer: Promise<RawAnswer> }> {
  const socket = await connectTo(port);
  socket.on('error', () => {});
  const answer = readAnswer(socket);
  socket.write(headText(head) + start);
  return { socket, answer };
}

interface EndlessUpload {
  readonly answer: RawAnswer;
  /** Bytes that the other side took until the connection ended. */
  readonly bytesTaken: number;
}

/** Sends pieces as fast as the other side takes them, until the connection ends. */
export async function uploadEndlessly(port: number, head: UploadHead, piece: Uint8Array): Promise<EndlessUpload> {
  const { socket, answer } = await beginUpload(port, head);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const send = () => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', send);
  send();
  const result = await answer;
  // The answer may be complete before the connection is closed: the end of the upload counts.
  await closed;
  return { answer: result, bytesTaken: socket.bytesWritten - socket.writableLength };
}
