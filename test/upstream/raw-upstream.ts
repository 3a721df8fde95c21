/** A server whose every byte the test writes by hand, for what no scenario of the mock says: moments and half heads. */
import type { Socket } from 'bun';

export interface RawConnection {
  /** For the test to note that it wrote. */
  answered: boolean;
  /** Bytes that came, all in all. */
  readonly received: number;
  /** What came since it was last asked for, in Latin-1. */
  takeText(): string;
  /** Resolves when the peer has ended or broken the connection. */
  readonly closed: Promise<void>;
  write(text: string): void;
  pause(): void;
  resume(): void;
  /** RST */
  reset(): void;
  /** FIN, and what comes afterwards is still read. */
  finish(): void;
  /** FIN, and nothing is read any more. */
  close(): void;
}

export interface RawUpstream {
  /** Without a path; over TLS for localhost, for which the certificate is. */
  readonly url: string;
  readonly port: number;
  readonly connections: readonly RawConnection[];
  stop(): void;
}

class Connection implements RawConnection {
  answered = false;
  received = 0;
  readonly closed: Promise<void>;
  readonly gone: () => void;
  #text = '';

  constructor(readonly socket: Socket<Connection>) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.gone = resolve;
  }

  take(bytes: Uint8Array): void {
    this.received += bytes.length;
    if (this.#text.length < 1_000_000) this.#text += Buffer.from(bytes).toString('latin1');
  }

  takeText(): string {
    const text = this.#text;
    this.#text = '';
    return text;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  write(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'));
    this.socket.flush();
  }

  reset(): void {
    this.socket.terminate();
  }

  finish(): void {
    this.socket.shutdown();
  }

  close(): void {
    this.socket.end();
  }
}

interface RawUpstreamOptions {
  readonly tls?: Bun.TLSOptions;
  readonly onOpen?: (connection: RawConnection) => void;
  /** Default 127.0.0.1. */
  readonly hostname?: string;
  /** Default: a free one. */
  readonly port?: number;
}

/** @param onRead called for every read on a connection */
export function rawUpstream(
  onRead: (connection: RawConnection) => void,
  { tls, onOpen, hostname = '127.0.0.1', port = 0 }: RawUpstreamOptions = {},
): RawUpstream {
  const connections: Connection[] = [];
  const listener = Bun.listen<Connection>({
    hostname,
    port,
    ...(tls ? { tls } : {}),
    socket: {
      open(socket) {
        socket.data = new Connection(socket);
        connections.push(socket.data);
        onOpen?.(socket.data);
      },
      // With this handler, and only with it, `open` comes before a TLS handshake and not behind it.
      handshake() {},
      data(socket, bytes) {
        socket.data.take(bytes);
        onRead(socket.data);
      },
      end(socket) {
        socket.data.gone();
        socket.end();
      },
      close(socket) {
        socket.data?.gone();
      },
      error() {},
    },
  });
  const url = tls ? `https://localhost:${listener.port}` : `http://127.0.0.1:${listener.port}`;
  return { url, port: listener.port, connections, stop: () => listener.stop(true) };
}
