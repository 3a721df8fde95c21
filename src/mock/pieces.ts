/**
 * Cuts the body into the pieces that are written (and chunked) one by one. Lazily where possible: splits, gzip and a stated
 * length need the whole body first, and then the times in generated events are those of that moment.
 */
import { type Content, isBinary, isEventList, type Piece } from './content.ts';
import { eventsInOrder } from './event-order.ts';
import type { Scenario } from './scenario.ts';

interface Body {
  readonly pieces: Iterable<Piece>;
  /** Undefined when it was not needed. */
  readonly totalBytes: number | undefined;
}

export function bodyOf(content: Content, scenario: Scenario, sized: boolean): Body {
  const isWhole = !scenario.gzip && !isCut(scenario);
  if (isWhole && isBinary(content)) return { pieces: content.pieces(), totalBytes: content.totalBytes };
  const events = piecesOf(content, scenario);
  if (isWhole && !sized) return { pieces: events, totalBytes: undefined };
  const gathered = Array.from(events, (make) => make());
  if (isWhole) {
    const pieces = gathered.map((bytes) => () => bytes);
    return { pieces, totalBytes: gathered.reduce((sum, piece) => sum + piece.byteLength, 0) };
  }
  const plain = Buffer.concat(gathered);
  const whole = scenario.gzip ? Bun.gzipSync(plain) : plain;
  return { pieces: cut(whole, scenario), totalBytes: whole.byteLength };
}

function piecesOf(content: Content, scenario: Scenario): Iterable<Piece> {
  if (isEventList(content)) return eventsInOrder(content, scenario);
  return isBinary(content) ? content.pieces() : [() => content];
}

/** Whether the scenario cuts the body, so that each piece must reach the wire on its own. */
export function isCut(scenario: Scenario): boolean {
  return scenario.split !== undefined || scenario.split_at !== undefined || scenario.pace === 'byte';
}

/** The first bytes of a body; each piece must be created before the next is requested. */
export function* firstBytes(pieces: Iterable<Piece>, bytes: number): Generator<Piece> {
  let left = bytes;
  if (left === 0) return;
  for (const make of pieces) {
    yield () => {
      const piece = make();
      const kept = piece.byteLength <= left ? piece : piece.subarray(0, left);
      left -= kept.byteLength;
      return kept;
    };
    if (left === 0) return;
  }
}

function* cut(whole: Uint8Array, scenario: Scenario): Generator<Piece> {
  const size = scenario.pace === 'byte' ? 1 : scenario.split;
  if (size !== undefined) {
    for (let at = 0; at < whole.byteLength; at += size) yield () => whole.subarray(at, at + size);
    return;
  }
  const offsets = [...(scenario.split_at ?? [])].sort((a, b) => a - b);
  let start = 0;
  for (const end of [...offsets, whole.byteLength]) {
    if (end <= start || end > whole.byteLength) continue;
    const from = start;
    yield () => whole.subarray(from, end);
    start = end;
  }
}
