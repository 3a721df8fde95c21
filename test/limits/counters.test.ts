import { expect, test } from 'bun:test';
import { CalendarCounter, MinuteCounter, SteadyTime } from '../../src/limits/counters.ts';
import { MINUTE_MS } from '../../src/limits/windows.ts';
import { randomFrom } from '../support/random.ts';

const SEED = Number(process.env.LIMITS_SEED ?? 20_260_729);
const WALKS = 500;
const STEPS = 60;

function forEachWalk(walk: (random: (below: number) => number, seed: number) => void): void {
  for (let i = 0; i < WALKS; i++) walk(randomFrom(SEED + i), SEED + i);
}

test('steady time never goes back, runs at the pace of the clock and stands still for a step back', () => {
  forEachWalk((random, seed) => {
    const steady = new SteadyTime();
    let wallMs = 1_700_000_000_000;
    let steadyMs = steady.at(wallMs);
    for (let i = 0; i < STEPS; i++) {
      const moveMs = random(4) === 0 ? -random(1_000_000) : random(100_000);
      wallMs += moveMs;
      const next = steady.at(wallMs);
      if (next - steadyMs !== Math.max(0, moveMs))
        throw new Error(`seed ${seed}: moved ${next - steadyMs} for ${moveMs}`);
      steadyMs = next;
    }
  });
});

test('the minute begins with its first request and lasts 60 s, whatever comes in it', () => {
  const counter = new MinuteCounter();
  expect([counter.used(5), counter.remainingMs(5)]).toEqual([0, null]);
  for (const ms of [1_000, 1_500, 60_999]) counter.add(ms);
  expect([counter.used(60_999), counter.remainingMs(60_999)]).toEqual([3, 1]);
  expect([counter.used(61_000), counter.remainingMs(61_000)]).toEqual([0, null]);
  counter.add(200_000);
  expect([counter.used(200_000), counter.remainingMs(200_000)]).toEqual([1, MINUTE_MS]);
});

test('a clock that swings about the edge of a window finds both counts exactly as it left them', () => {
  forEachWalk((random, seed) => {
    const counter = new CalendarCounter();
    const counts = new Map([
      [7, 0],
      [8, 0],
    ]);
    counter.used(7);
    for (let i = 0; i < STEPS; i++) {
      const index = 7 + random(2);
      const amount = random(5);
      const expected = counts.get(index)!;
      if (counter.used(index) !== expected) throw new Error(`seed ${seed}: ${counter.used(index)}, not ${expected}`);
      counter.add(index, amount);
      counts.set(index, expected + amount);
    }
  });
});

test('only a step forward reaches a fresh window, wherever the clock goes', () => {
  forEachWalk((random, seed) => {
    const counter = new CalendarCounter();
    let index = 100;
    counter.add(index, 1);
    for (let i = 0; i < STEPS; i++) {
      const left = index;
      index += random(2) === 0 ? -random(40) : random(40);
      const used = counter.used(index);
      if (used === 0 && index <= left) throw new Error(`seed ${seed}: a fresh window in ${index}, after ${left}`);
      counter.add(index, 1 + random(3));
    }
  });
});

test('a window reached by a step back inherits the count, so a key that was refused stays refused, for that window', () => {
  const counter = new CalendarCounter();
  counter.add(400, 100);
  expect(counter.used(35)).toBe(100);
  expect(counter.used(36)).toBe(0);
});

test('what comes late is added to the window it belongs to while that is remembered, and moves nothing', () => {
  const counter = new CalendarCounter();
  counter.add(1, 10);
  counter.add(2, 1);
  counter.addLate(1, 5);
  counter.addLate(0, 99);
  expect(counter.used(2)).toBe(1);
  expect(counter.used(1)).toBe(15);
  counter.add(3, 0);
  counter.addLate(1, 7);
  expect(counter.used(3)).toBe(0);
});
