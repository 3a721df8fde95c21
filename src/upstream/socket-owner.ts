/** A socket to upstream, and the object that its events go to: first the dial that connects it, then the connection. */
import type { Socket, SocketHandler } from 'bun';

export interface SocketOwner {
  received(bytes: Uint8Array): void;
  /** The kernel accepts bytes again. */
  drained(): void;
  /** FIN. */
  ended(): void;
  /** It is closed; with an error when it broke. */
  lost(error: Error | undefined): void;
}

export type UpstreamSocket = Socket<SocketOwner>;

/** For a socket whose events do not matter any more. */
export const NOBODY: SocketOwner = { received() {}, drained() {}, ended() {}, lost() {} };

export const OWNER_HANDLERS: SocketHandler<SocketOwner> = {
  data: (socket, bytes) => socket.data.received(bytes),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.ended(),
  close: (socket, error) => socket.data.lost(error),
  error: (socket, error) => socket.data.lost(error),
};
