import { afterEach, beforeEach, expect, jest, test } from 'bun:test';
import { Deadlines, NOT_WATCHED, type Watched } from '../../src/http/deadlines.ts';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

class FakeWatched implements Watched {
  watchIndex = NOT_WATCHED;
  cutBy: Error | undefined;
  readonly checkedAtMs: number[] = [];
  onCheck: () => void = () => {};

  check(nowMs: number): void {
    this.checkedAtMs.push(nowMs);
    this.onCheck();
  }

  cut(error: Error): void {
    this.cutBy = error;
  }

  get checks(): number {
    return this.checkedAtMs.length;
  }
}

test.each([
  [10, 5],
  [1, 5],
  [200, 25],
  [2_000, 250],
  [3_600_000, 250],
])('with a shortest bound of %d ms it looks every %d ms', (boundMs, tickMs) => {
  const deadlines = new Deadlines(boundMs);
  const watched = new FakeWatched();
  deadlines.add(watched);
  jest.advanceTimersByTime(tickMs - 1);
  expect(watched.checks).toBe(0);
  jest.advanceTimersByTime(1);
  expect(watched.checks).toBe(1);
  jest.advanceTimersByTime(3 * tickMs);
  expect(watched.checks).toBe(4);
  deadlines.delete(watched);
});

test('everybody is looked at with the same time, until deleted', () => {
  const deadlines = new Deadlines(20);
  const [first, second] = [new FakeWatched(), new FakeWatched()];
  deadlines.add(first);
  deadlines.add(second);
  jest.advanceTimersByTime(5);
  expect(first.checkedAtMs).toEqual(second.checkedAtMs);
  deadlines.delete(first);
  jest.advanceTimersByTime(5);
  expect([first.checks, second.checks]).toEqual([1, 2]);
  deadlines.delete(second);
});

test('who is added in the middle is looked at from the next tick on, and adding twice counts once', () => {
  const deadlines = new Deadlines(20);
  const [first, late] = [new FakeWatched(), new FakeWatched()];
  deadlines.add(first);
  jest.advanceTimersByTime(7);
  deadlines.add(late);
  deadlines.add(late);
  jest.advanceTimersByTime(3);
  expect([first.checks, late.checks]).toEqual([2, 1]);
  deadlines.delete(first);
  deadlines.delete(late);
  jest.advanceTimersByTime(50);
  expect([first.checks, late.checks]).toEqual([2, 1]);
});

test('nobody watched, no timer after the next tick; the next one starts it again', () => {
  const deadlines = new Deadlines(20);
  const before = jest.getTimerCount();
  const watched = new FakeWatched();
  deadlines.add(watched);
  expect(jest.getTimerCount()).toBe(before + 1);
  deadlines.delete(watched);
  deadlines.delete(watched);
  jest.advanceTimersByTime(5);
  expect(jest.getTimerCount()).toBe(before);
  deadlines.add(watched);
  jest.advanceTimersByTime(5);
  expect(watched.checks).toBe(1);
  deadlines.delete(watched);
  jest.advanceTimersByTime(5);
  expect(jest.getTimerCount()).toBe(before);
});

test('one that comes before the next tick is watched by the same timer', () => {
  const deadlines = new Deadlines(20);
  const before = jest.getTimerCount();
  const [first, next] = [new FakeWatched(), new FakeWatched()];
  deadlines.add(first);
  jest.advanceTimersByTime(3);
  deadlines.delete(first);
  deadlines.add(next);
  expect(jest.getTimerCount()).toBe(before + 1);
  jest.advanceTimersByTime(2);
  expect([first.checks, next.checks]).toEqual([0, 1]);
  deadlines.delete(next);
  jest.advanceTimersByTime(5);
  expect(jest.getTimerCount()).toBe(before);
});

test('one that expires and leaves while it is looked at does not keep the others from their turn', () => {
  const deadlines = new Deadlines(20);
  const [before, leaving, after] = [new FakeWatched(), new FakeWatched(), new FakeWatched()];
  for (const watched of [before, leaving, after]) deadlines.add(watched);
  leaving.onCheck = () => {
    deadlines.delete(leaving);
    deadlines.delete(after);
  };
  jest.advanceTimersByTime(5);
  expect([before.checks, leaving.checks, after.checks]).toEqual([1, 1, 0]);
  jest.advanceTimersByTime(5);
  expect([before.checks, leaving.checks, after.checks]).toEqual([2, 1, 0]);
  deadlines.delete(before);
});

test('a cut ends all that is watched at once, and whatever is added later, once that has begun', async () => {
  const deadlines = new Deadlines(20);
  const [first, second, gone, late] = [new FakeWatched(), new FakeWatched(), new FakeWatched(), new FakeWatched()];
  for (const watched of [first, second, gone]) deadlines.add(watched);
  deadlines.delete(gone);
  const error = new Error('stopping');
  // Ending one may end another.
  first.cut = (by) => {
    first.cutBy = by;
    deadlines.delete(first);
    deadlines.delete(second);
  };
  deadlines.cut(error);
  expect([first.cutBy, second.cutBy, gone.cutBy]).toEqual([error, undefined, undefined]);
  deadlines.add(late);
  expect(late.cutBy).toBeUndefined();
  await Promise.resolve();
  expect(late.cutBy).toBe(error);
  deadlines.delete(late);
});
