/** An HTTP proxy that knows CONNECT only, in the clear or over TLS; whatever host is asked for is this machine. */
import type { Socket } from 'bun';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { pipeTo, Side } from './piped-sockets.ts';

export interface ConnectProxy {
  /** Of a proxy over TLS for localhost, for which its certificate is. */
  readonly url: string;
  readonly port: number;
  /** The heads of the requests it got. */
  readonly requests: readonly string[];
  stop(): void;
}

export interface ConnectProxyOptions {
  readonly tls?: boolean;
  /** What it answers in place of a tunnel; undefined opens one. */
  readonly refusal?: string;
  /** In place of its usual answer: for the tunnel that it opens all the same. */
  readonly answer?: string;
  /** It takes the request and never answers. */
  readonly mute?: boolean;
}

const OPEN = 'HTTP/1.1 200 Connection established\r\n\r\n';

export function connectProxy({ tls, refusal, answer = OPEN, mute }: ConnectProxyOptions = {}): ConnectProxy {
  const requests: string[] = [];
  const listener = Bun.listen<Side | undefined>({
    hostname: '127.0.0.1',
    port: 0,
    ...(tls ? { tls: SELF_SIGNED } : {}),
    socket: {
      data(socket, bytes) {
        if (socket.data) socket.data.other?.write(bytes);
        else tunnel(socket, Buffer.from(bytes).toString('latin1'));
      },
      drain: (socket) => socket.data?.drained(),
      end(socket) {
        if (socket.data) socket.data.ended();
        else socket.end();
      },
      close: (socket) => socket.data?.other?.socket.terminate(),
      error: (socket) => socket.data?.other?.socket.terminate(),
    },
  });

  /** The request comes in one read: it is small, and nothing may follow it before the answer. */
  function tunnel(socket: Socket<Side | undefined>, head: string): void {
    requests.push(head);
    if (mute) return;
    if (refusal !== undefined) {
      socket.write(refusal);
      return;
    }
    const port = Number(/^CONNECT \S*:(\d+) HTTP\/1\.1\r\n/.exec(head)?.[1]);
    const side = new Side(socket as Socket<Side>);
    socket.data = side;
    pipeTo(
      port,
      side,
      () => socket.write(answer),
      () => {
        socket.data = undefined;
        socket.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n');
      },
    );
  }

  const url = tls ? `https://localhost:${listener.port}` : `http://127.0.0.1:${listener.port}`;
  return { url, port: listener.port, requests, stop: () => listener.stop(true) };
}
