/** A socket to upstream, and who is told what happens on it: first what connects (dial.ts), then the connection. */
import type { Socket, SocketHandler } from 'bun';

export interface SocketOwner {
  received(bytes: Uint8Array): void;
  /** The kernel takes bytes again. */
  drained(): void;
  /** FIN. */
  ended(): void;
  /** It is closed; with an error when it broke. */
  lost(error: Error | undefined): void;
}

export type UpstreamSocket = Socket<SocketOwner>;

/** Whose socket is closed already, or must not be listened to any more. */
export const NOBODY: SocketOwner = { received() {}, drained() {}, ended() {}, lost() {} };

export const OWNER_HANDLERS: SocketHandler<SocketOwner> = {
  data: (socket, bytes) => socket.data.received(bytes),
  drain: (socket) => socket.data.drained(),
  end: (socket) => socket.data.ended(),
  close: (socket, error) => socket.data.lost(error),
  error: (socket, error) => socket.data.lost(error),
};
