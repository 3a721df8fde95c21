/**
 * The client of transfers.ts: one upload or download at a time, timed. As a program it stands in a network namespace of its own,
 * reads a line of JSON for each transfer and prints the seconds that it took.
 */
import { connect } from 'node:net';

export interface Transfer {
  readonly kind: 'upload' | 'download';
  readonly host: string;
  readonly port: number;
  readonly key: string;
  readonly bytes: number;
}

const BOUNDARY = 'transfer';
const UPLOAD_START = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n`;
const UPLOAD_END = `\r\n--${BOUNDARY}--\r\n`;

/** @returns seconds */
export function transfer(of: Transfer): Promise<number> {
  return of.kind === 'upload' ? upload(of) : download(of);
}

function upload({ key, bytes, ...to }: Transfer): Promise<number> {
  const length = UPLOAD_START.length + bytes + UPLOAD_END.length;
  const piece = Buffer.alloc(256 * 1024, 'x');
  return transferOn(to, (socket) => {
    socket.write(
      `POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: multipart/form-data; boundary=${BOUNDARY}\r\ncontent-length: ${length}\r\n\r\n${UPLOAD_START}`,
    );
    let left = bytes;
    const send = () => {
      while (left > 0) {
        const part = piece.subarray(0, Math.min(left, piece.length));
        left -= part.length;
        if (left === 0) socket.write(Buffer.concat([part, Buffer.from(UPLOAD_END)]));
        else if (!socket.write(part)) return;
      }
    };
    socket.on('drain', send);
    send();
    return (text) => text.includes('{}');
  });
}

function download({ key, bytes, ...to }: Transfer): Promise<number> {
  return transferOn(to, (socket) => {
    socket.write(`GET /v1/files/${bytes} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`);
    let received = 0;
    // With the framing it is more: the last chunk tells, or the length.
    return (text, read) => {
      received += read;
      return received >= bytes && (text.endsWith('0\r\n\r\n') || !text.includes('\r\n'));
    };
  });
}

type Begin = (socket: ReturnType<typeof connect>) => (text: string, read: number) => boolean;

function transferOn({ host, port }: { readonly host: string; readonly port: number }, begin: Begin): Promise<number> {
  return new Promise((resolve, reject) => {
    const startedMs = performance.now();
    let last = '';
    const socket = connect(port, host, () => {
      const isOver = begin(socket);
      socket.on('data', (bytes: Buffer) => {
        last = bytes.subarray(-200).toString('latin1');
        if (!isOver(last, bytes.length)) return;
        resolve((performance.now() - startedMs) / 1000);
        socket.destroy();
      });
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`the connection to ${port} closed early: ${last}`)));
  });
}

if (import.meta.main) {
  console.log('ready');
  for await (const line of console) console.log(await transfer(JSON.parse(line) as Transfer));
}
