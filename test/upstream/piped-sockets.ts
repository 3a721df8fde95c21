/**
 * Two sockets of this process joined into one way, byte for byte, so that what the peer at either end does (FIN, RST, not
 * reading) reaches the other. Their kernel buffers are bounded, or they would stand between a server and a client that
 * does not read with 30 MB of room.
 */
import type { Socket, SocketHandler } from 'bun';
import { boundReceiveBuffer } from '../../src/upstream/socket-options.ts';

type PipedSocket = Socket<Side>;

/** As the mock does: RST may overtake bytes that the peer has not read. */
const BEFORE_RESET_MS = 5;

/** One of the two sockets, and what waits to be written to it. */
export class Side {
  other: Side | undefined;
  #unwritten: Uint8Array[] = [];
  #finishing = false;
  #finished = false;

  constructor(readonly socket: PipedSocket) {
    boundReceiveBuffer(socket);
  }

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

  /** Its peer has sent FIN. */
  ended(): void {
    this.#finished = true;
    this.other?.finish();
  }

  finish(): void {
    this.#finishing = true;
    if (this.#unwritten.length === 0) this.socket.end();
  }

  /** Its peer has broken the connection. */
  broken(): void {
    if (!this.#finished) this.other?.break();
  }

  break(): void {
    setTimeout(() => this.socket.terminate(), BEFORE_RESET_MS);
  }
}

const PIPE: SocketHandler<Side> = {
  data: (socket, bytes) => socket.data.other?.write(bytes),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.ended(),
  close: (socket) => socket.data.broken(),
  error: (socket) => socket.data.broken(),
};

/** Connects to a port of this machine and joins it to a socket whose `data` is its side. */
export function pipeTo(port: number, front: Side, onOpen: () => void, onRefused: () => void): void {
  Bun.connect<Side>({
    hostname: '127.0.0.1',
    port,
    socket: {
      ...PIPE,
      open(socket) {
        socket.data = new Side(socket);
        socket.data.other = front;
        front.other = socket.data;
        onOpen();
      },
      connectError: onRefused,
    },
  }).catch(() => {});
}
