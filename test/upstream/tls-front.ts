/** TLS in front of a plain server on this machine, so that what is tested in the clear can be tested under TLS as well. */
import { SELF_SIGNED } from '../support/self-signed.ts';
import { pipeTo, Side } from './piped-sockets.ts';

interface TlsFront {
  /** For localhost, for which its certificate is. */
  readonly port: number;
  stop(): void;
}

export function tlsFront(port: number): TlsFront {
  const listener = Bun.listen<Side>({
    hostname: '127.0.0.1',
    port: 0,
    tls: SELF_SIGNED,
    socket: {
      open(socket) {
        socket.data = new Side(socket);
        // No handshake before it is known that the server takes the connection.
        socket.pause();
        pipeTo(
          port,
          socket.data,
          () => socket.resume(),
          () => socket.terminate(),
        );
      },
      // With this handler, and only with it, `open` comes before the handshake.
      handshake() {},
      data: (socket, bytes) => socket.data.other?.write(bytes),
      drain: (socket) => socket.data.drained(),
      end: (socket) => socket.data.ended(),
      close: (socket) => socket.data.other?.socket.terminate(),
      error: (socket) => socket.data.other?.socket.terminate(),
    },
  });
  return { port: listener.port, stop: () => listener.stop(true) };
}
