import { expect, test } from 'bun:test';
import { BEGUN_PER_TURN, BURST_REQUESTS, BURST_WINDOW_MS, BurstSmoother } from '../../src/gateway/burst-smoother.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Has the numbers from `from` up to `to` ask for their turn in one moment. */
function beginAll(bursts: BurstSmoother, begun: number[], from: number, to: number, nowMs = performance.now()): void {
  for (let i = from; i < to; i++) {
    const waiting = bursts.delay(nowMs);
    if (waiting === null) begun.push(i);
    else void waiting.then(() => begun.push(i));
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

test('of a burst some begin in each turn, in order', async () => {
  const bursts = new BurstSmoother();
  const begun: number[] = [];
  beginAll(bursts, begun, 0, BURST_REQUESTS + BEGUN_PER_TURN + 1);
  expect(begun).toEqual(upTo(BURST_REQUESTS));
  await turn();
  expect(begun).toEqual(upTo(BURST_REQUESTS + BEGUN_PER_TURN));
  await turn();
  expect(begun).toEqual(upTo(BURST_REQUESTS + BEGUN_PER_TURN + 1));
});

test('what comes later does not overtake what waits, however late it is', async () => {
  const bursts = new BurstSmoother();
  const begun: number[] = [];
  const nowMs = performance.now();
  beginAll(bursts, begun, 0, BURST_REQUESTS + 1, nowMs);
  beginAll(bursts, begun, BURST_REQUESTS + 1, BURST_REQUESTS + 2, nowMs + 1000);
  expect(begun.length).toBe(BURST_REQUESTS);
  await turn();
  expect(begun).toEqual(upTo(BURST_REQUESTS + 2));
});

test('those that come evenly are never held up', () => {
  const bursts = new BurstSmoother();
  const begun: number[] = [];
  for (let i = 0; i < 100; i++)
    beginAll(bursts, begun, i * BURST_REQUESTS, (i + 1) * BURST_REQUESTS, i * 1.01 * BURST_WINDOW_MS);
  expect(begun).toEqual(upTo(100 * BURST_REQUESTS));
});
