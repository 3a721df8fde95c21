/** Where a recorded stream is cut, and how the mock does it. */
import type { Scenario } from '../../src/mock/scenario.ts';
import { randomFrom } from '../support/random.ts';
import type { RecordedStream } from '../support/streams.ts';

const KINDS = ['reset', 'end_early'] as const;
/** Cuts of a recording, unless CUTS=all. */
const SAMPLE = 150;

/** Where each event ends, the blank line included. */
export function endsOf({ content }: RecordedStream): number[] {
  const text = Buffer.from(content).toString('latin1');
  return [...text.matchAll(/\r?\n\r?\n/g)].map((match) => match.index + match[0].length);
}

/** Every byte of the first and the last three events, and two bytes around every other boundary. */
function placesOf(stream: RecordedStream): number[] {
  const ends = endsOf(stream);
  const places = new Set<number>();
  const add = (from: number, to: number) => {
    for (let i = Math.max(0, from); i <= Math.min(to, stream.content.length - 1); i++) places.add(i);
  };
  add(0, ends[2] ?? 0);
  add(ends.at(-4) ?? 0, stream.content.length - 1);
  for (const end of ends) add(end - 2, end + 2);
  return [...places];
}

/** Where the answer is complete: behind its terminal event. The line break that ends it may be missing. */
export function completeFrom({ content }: RecordedStream): number {
  const text = Buffer.from(content).toString('latin1');
  const last = Math.max(text.lastIndexOf('[DONE]') + 6, text.trimEnd().length);
  return last;
}

export interface Cut {
  readonly at: number;
  readonly kind: (typeof KINDS)[number];
}

/** All of them with CUTS=all, else those that the seed draws. */
export function cutsOf(stream: RecordedStream, seed: number, count = SAMPLE): Cut[] {
  const all = placesOf(stream).flatMap((at) => KINDS.map((kind): Cut => ({ at, kind })));
  if (process.env.CUTS === 'all') return all;
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => all[random(all.length)]!);
}

/** @param cut null for the whole stream */
export function cutStream(stream: RecordedStream, cut: Cut | null): Scenario {
  return {
    body_base64: Buffer.from(stream.content).toString('base64'),
    content_type: 'text/event-stream',
    framing: 'chunked',
    ...(cut && { fault: { kind: cut.kind, after_bytes: cut.at } }),
  };
}
