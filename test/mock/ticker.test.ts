import { expect, test } from 'bun:test';
import { Ticker } from '../../src/mock/ticker.ts';

test('waits end in order of their time, never early, in whatever order they were added', async () => {
  const ticker = new Ticker();
  const startMs = performance.now();
  const offsetsMs = [12, 3, 7.5, 3, 0, 12, 1, -5];
  const ended: number[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const offsetMs of offsetsMs) {
    ticker.add(startMs + offsetMs, {
      due: () => {
        expect(performance.now()).toBeGreaterThanOrEqual(startMs + offsetMs);
        if (ended.push(offsetMs) === offsetsMs.length) resolve();
      },
    });
  }
  await promise;
  expect(ended).toEqual([...offsetsMs].sort((a, b) => a - b));
});

test('a wait added by one that just ended is kept', async () => {
  const ticker = new Ticker();
  await new Promise<void>((resolve) => {
    ticker.add(performance.now(), {
      due: () => ticker.add(performance.now() + 1, { due: () => ticker.add(performance.now() - 1, { due: resolve }) }),
    });
  });
});

test('stop cancels all waits', async () => {
  const ticker = new Ticker();
  let ended = false;
  ticker.add(performance.now() + 1, {
    due: () => {
      ended = true;
    },
  });
  ticker.stop();
  await new Promise<void>((resolve) => ticker.add(performance.now() + 5, { due: resolve }));
  expect(ended).toBe(false);
});
