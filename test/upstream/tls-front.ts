/**
 * TLS in front of a plain server on this machine, byte for byte, so that what is tested in the clear can be tested under
 * TLS as well: what the server does (FIN, RST, refusing, not reading) reaches the client, and the other way round. Its own
 * kernel buffers are bounded, or it would stand between a server and a client that does not read with 30 MB of room.
 */
import type { Socket } from 'bun';
import { boundReceiveBuffer } from '../../src/upstream/receive-buffer.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';

export interface TlsFront {
  /** For localhost, for which its certificate is. */
  readonly port: number;
  stop(): void;
}

/** As the mock does: RST may overtake bytes that the peer has not read. */
const BEFORE_RESET_MS = 5;

type End = Socket<Side>;

/** One of the two sockets of a connection, and what waits to be written to it. */
class Side {
  other: Side | undefined;
  #unwritten: Uint8Array[] = [];
  #finishing = false;

  constructor(readonly socket: End) {}

  write(bytes: Uint8Array): void {
    if (this.#unwritten.length === 0) {
      const written = Math.max(0, this.socket.write(bytes));
      if (written === bytes.length) return;
      bytes = bytes.subarray(written);
    }
    this.#unwritten.push(Buffer.from(bytes));
    this.other!.socket.pause();
  }

  drained(): void {
    for (let bytes = this.#unwritten.shift(); bytes; bytes = this.#unwritten.shift()) {
      const written = Math.max(0, this.socket.write(bytes));
      if (written === bytes.length) continue;
      this.#unwritten.unshift(bytes.subarray(written));
      return;
    }
    if (this.#finishing) this.socket.end();
    else this.other?.socket.resume();
  }

  finish(): void {
    this.#finishing = true;
    if (this.#unwritten.length === 0) this.socket.end();
  }

  break(): void {
    setTimeout(() => this.socket.terminate(), BEFORE_RESET_MS);
  }
}

export function tlsFront(port: number): TlsFront {
  const listener = Bun.listen<Side>({
    hostname: '127.0.0.1',
    port: 0,
    tls: SELF_SIGNED,
    socket: {
      open(socket) {
        socket.data = new Side(socket);
        boundReceiveBuffer(socket);
        // No handshake before it is known that the server takes the connection.
        socket.pause();
        connectTo(port, socket.data);
      },
      // With this handler, and only with it, `open` comes before the handshake.
      handshake() {},
      data: (socket, bytes) => socket.data.other?.write(bytes),
      drain: (socket) => socket.data.drained(),
      end: (socket) => socket.data.other?.finish(),
      close: (socket) => socket.data.other?.socket.terminate(),
      error: (socket) => socket.data.other?.socket.terminate(),
    },
  });
  return { port: listener.port, stop: () => listener.stop(true) };
}

function connectTo(port: number, front: Side): void {
  let finished = false;
  Bun.connect<Side>({
    hostname: '127.0.0.1',
    port,
    socket: {
      open(socket) {
        socket.data = new Side(socket);
        boundReceiveBuffer(socket);
        socket.data.other = front;
        front.other = socket.data;
        front.socket.resume();
      },
      data: (_socket, bytes) => front.write(bytes),
      drain: (socket) => socket.data.drained(),
      end() {
        finished = true;
        front.finish();
      },
      close() {
        if (!finished) front.break();
      },
      error: () => front.break(),
      connectError: () => front.socket.terminate(),
    },
  }).catch(() => {});
}
