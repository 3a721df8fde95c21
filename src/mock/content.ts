/** What a body is made of. Pieces are made when they are sent, so that a body of any size costs no memory. */

export type Content = Uint8Array | EventList | BinaryBody;

/** A piece of a body, made when it is called: an event's time is then the time it is sent, not when it was foreseen. */
export type Piece = () => Uint8Array;

/** Server-sent events, addressable by position, so that order faults can be told which event they mean. */
export interface EventList {
  /** Events in front of and behind the token events; order faults do not touch them. */
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
