/** A server whose every byte the test writes by hand, for what no scenario of the mock says: moments and half heads. */
import type { Socket } from 'bun';

export interface RawConnection {
  /** For the test to note that it wrote. */
  answered: boolean;
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
  answered = false;

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

/** @param onRead called for every read on a connection */
export function rawUpstream(onRead: (connection: RawConnection) => void): RawUpstream {
  const connections: Connection[] = [];
  const listener = Bun.listen<Connection>({
    hostname: '127.0.0.1',
    port: 0,
    socket: {
      open(socket) {
        socket.data = new Connection(socket);
        connections.push(socket.data);
      },
      data(socket) {
        onRead(socket.data);
      },
    },
  });
  return { url: `http://127.0.0.1:${listener.port}`, connections, stop: () => listener.stop(true) };
}
