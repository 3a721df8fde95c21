import { expect, test } from 'bun:test';
import { inSlices } from '../../src/http/time-slices.ts';

/** Takes so many steps, each as long as a slice. */
function work(name: string, steps: number, done: string[]) {
  return {
    step() {
      const endMs = performance.now() + 1.1;
      while (performance.now() < endMs);
      done.push(name);
      return --steps === 0;
    },
  };
}

test('works that run at once share the event loop step by step, and what else waits runs between', async () => {
  const steps: string[] = [];
  const all = [inSlices(work('a', 3, steps)), inSlices(work('b', 2, steps)), inSlices(work('c', 3, steps))];
  let turns = 0;
  let over = false;
  const turn = () => {
    turns++;
    if (!over) setImmediate(turn);
  };
  setImmediate(turn);
  await Promise.all(all);
  over = true;
  expect(steps.join('')).toBe('abcabcac');
  // One slice in each turn of the loop: eight steps do not fit in fewer.
  expect(turns).toBeGreaterThanOrEqual(7);
});

test('nothing is done before the caller goes on, and what a step throws rejects its own work only', async () => {
  const steps: string[] = [];
  const failing = inSlices({
    step() {
      throw new Error('broken');
    },
  });
  const other = inSlices(work('a', 2, steps));
  expect(steps).toEqual([]);
  await expect(failing).rejects.toThrow('broken');
  await other;
  expect(steps).toEqual(['a', 'a']);
});
