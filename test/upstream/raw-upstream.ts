/** A server whose every byte the test writes by hand, for what no scenario of the mock says: moments and half heads. */
import type { Socket } from 'bun';

export interface RawConnection {
  /** What came so far. */
  readonly received: string;
  write(text: string): void;
  /** RST */
  reset(): void;
  /** FIN */
  finish(): void;
}

export interface RawUpstream {
  /** Without a path. */
  readonly url: string;
  readonly connections: readonly RawConnection[];
  stop(): void;
}

class Connection implements RawConnection {
  received = '';
  constructor(readonly socket: Socket<Connection>) {}

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
}

/** @param onRequest called whenever a request without a body, or the whole of one with a body, may have come */
export function rawUpstream(onRequest: (connection: RawConnection, index: number) => void): RawUpstream {
  const connections: Connection[] = [];
  const listener = Bun.listen<Connection>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        socket.data = new Connection(socket);
        connections.push(socket.data);
      },
      data(socket, bytes) {
        const connection = socket.data;
        connection.received += bytes.toString('latin1');
        if (connection.received.endsWith('\r\n\r\n')) onRequest(connection, connections.indexOf(connection));
      },
    },
  });
  return { url: `http://127.0.0.1:${listener.port}`, connections, stop: () => listener.stop(true) };
}
