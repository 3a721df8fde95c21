/** The kinds of body. Pieces are created when they are sent, so a body of any size needs little memory. */

export type Content = Uint8Array | EventList | BinaryBody;

/** Creates a piece of a body when called, so that the time in an event is the time of sending. */
export type Piece = () => Uint8Array;

/** Server-sent events, addressable by position for order faults. */
export interface EventList {
  /** Events before and after the token events; order faults do not affect them. */
  readonly prelude: readonly string[];
  readonly epilogue: readonly string[];
  readonly count: number;
  /** The token event at a position from 0, blank line included. */
  token(position: number): string | Uint8Array;
}

export interface BinaryBody {
  readonly totalBytes: number;
  pieces(): Iterable<Piece>;
}

export function isEventList(content: Content): content is EventList {
  return 'epilogue' in content;
}

export function isBinary(content: Content): content is BinaryBody {
  return 'totalBytes' in content;
}
