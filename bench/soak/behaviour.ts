/** What the client of a request does with its answer. */
import type { Scenario } from '../../src/mock/scenario.ts';
import type { RequestKind } from './request-kinds.ts';

export type ClientBehaviour =
  | { readonly does: 'read' }
  /** Pauses after each read. */
  | { readonly does: 'slow'; readonly pauseMs: number }
  /** Stops reading, for longer than the gateway puts up with. */
  | { readonly does: 'stop' }
  /** Goes away when a part of the request is sent, so long after it was sent whole, behind so many bytes, or with the last. */
  | { readonly does: 'leave'; readonly at: 'sending'; readonly share: number; readonly afterMs: number }
  | { readonly does: 'leave'; readonly at: 'waiting'; readonly afterMs: number }
  | { readonly does: 'leave'; readonly at: 'reading'; readonly share: number }
  | { readonly does: 'leave'; readonly at: 'end' };

/** Of the head, when the client is to leave before it comes. */
export const LATE_HEAD_MS = 3_000;
/** Of a client that leaves while it reads: at least half of it is still to come, 2 s. */
export const LONG_STREAM: Scenario = { text: Array.from({ length: 100 }, (_, i) => `w${i}`).join(' '), pace_ms: 40 };
const READ_AT_MOST = 0.5;

const SLOW_SHARE = 0.07;
const LEAVING_SHARE = 0.12;

export function drawBehaviour(kind: RequestKind, random: () => number): ClientBehaviour {
  const drawn = random();
  if (drawn < SLOW_SHARE) return { does: 'slow', pauseMs: 5 + Math.round(random() * 45) };
  if (drawn > SLOW_SHARE + LEAVING_SHARE || kind.endpoint === null || kind.method === 'HEAD') return { does: 'read' };
  const at = random();
  if (at < 0.15 && kind.method === 'POST')
    return { does: 'leave', at: 'sending', share: random(), afterMs: 20 + random() * 80 };
  if (at < 0.4) return { does: 'leave', at: 'waiting', afterMs: 500 + random() * 1_000 };
  if (kind.form !== 'sse' || kind.check !== 'exact') return { does: 'read' };
  return at < 0.85 ? { does: 'leave', at: 'reading', share: random() * READ_AT_MOST } : { does: 'leave', at: 'end' };
}
