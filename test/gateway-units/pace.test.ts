import { expect, test } from 'bun:test';
import { BEGUN_PER_TURN, CROWD, CROWD_MS, Pace } from '../../src/gateway/pace.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Has the numbers from `from` up to `to` ask for their turn in one moment. */
function beginAll(pace: Pace, begun: number[], from: number, to: number, nowMs = performance.now()): void {
  for (let i = from; i < to; i++) {
    const waiting = pace.turn(nowMs);
    if (waiting === null) begun.push(i);
    else void waiting.then(() => begun.push(i));
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

test('of a crowd some begin in each turn, in order', async () => {
  const pace = new Pace();
  const begun: number[] = [];
  beginAll(pace, begun, 0, CROWD + BEGUN_PER_TURN + 1);
  expect(begun).toEqual(upTo(CROWD));
  await turn();
  expect(begun).toEqual(upTo(CROWD + BEGUN_PER_TURN));
  await turn();
  expect(begun).toEqual(upTo(CROWD + BEGUN_PER_TURN + 1));
});

test('what comes later does not overtake what waits, however late it is', async () => {
  const pace = new Pace();
  const begun: number[] = [];
  const nowMs = performance.now();
  beginAll(pace, begun, 0, CROWD + 1, nowMs);
  beginAll(pace, begun, CROWD + 1, CROWD + 2, nowMs + 1000);
  expect(begun.length).toBe(CROWD);
  await turn();
  expect(begun).toEqual(upTo(CROWD + 2));
});

test('those that come evenly are never held up', () => {
  const pace = new Pace();
  const begun: number[] = [];
  for (let i = 0; i < 100; i++) beginAll(pace, begun, i * CROWD, (i + 1) * CROWD, i * 1.01 * CROWD_MS);
  expect(begun).toEqual(upTo(100 * CROWD));
});
