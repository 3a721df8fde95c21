import { expect, test } from 'bun:test';
import { BEGUN_PER_TURN, Pace, TURN_MS } from '../../src/upstream/pace.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Begins the numbers from `from` up to `to` in one moment. */
function beginAll(pace: Pace, begun: number[], from: number, to: number, nowMs = performance.now()): void {
  for (let i = from; i < to; i++) pace.begin({ begin: () => begun.push(i) }, nowMs);
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

test('what begins in one turn is bounded, the rest begins in the next turns, in order', async () => {
  const pace = new Pace();
  const begun: number[] = [];
  beginAll(pace, begun, 0, 2 * BEGUN_PER_TURN + 1);
  expect(begun).toEqual(upTo(BEGUN_PER_TURN));
  await turn();
  expect(begun).toEqual(upTo(2 * BEGUN_PER_TURN));
  await turn();
  expect(begun).toEqual(upTo(2 * BEGUN_PER_TURN + 1));
});

test('what comes later does not overtake what waits, however late it is', async () => {
  const pace = new Pace();
  const begun: number[] = [];
  const nowMs = performance.now();
  beginAll(pace, begun, 0, BEGUN_PER_TURN + 1, nowMs);
  beginAll(pace, begun, BEGUN_PER_TURN + 1, BEGUN_PER_TURN + 2, nowMs + 1000);
  expect(begun.length).toBe(BEGUN_PER_TURN);
  await turn();
  expect(begun).toEqual(upTo(BEGUN_PER_TURN + 2));
});

test('those that come evenly are never held up', () => {
  const pace = new Pace();
  const begun: number[] = [];
  for (let i = 0; i < 100; i++) beginAll(pace, begun, i * BEGUN_PER_TURN, (i + 1) * BEGUN_PER_TURN, i * 1.01 * TURN_MS);
  expect(begun).toEqual(upTo(100 * BEGUN_PER_TURN));
});
