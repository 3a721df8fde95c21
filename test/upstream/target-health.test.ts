/** The arithmetic of rest and retry over random sequences: times are arguments, nothing waits. */
import { describe, expect, test } from 'bun:test';
import type { UpstreamClient, UpstreamSink } from '../../src/upstream/client.ts';
import { HeaderBlock } from '../../src/upstream/header-block.ts';
import { restTimeOf } from '../../src/upstream/rest-time.ts';
import { RetryBudget } from '../../src/upstream/retry-budget.ts';
import { TargetHealth } from '../../src/upstream/target-health.ts';
import { TargetPool } from '../../src/upstream/target-pool.ts';
import { pick, randomFrom } from '../support/random.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_261_126);
const START_MS = 1_780_000_000_000;

describe('retry-after and x-quota-reset', () => {
  test.each([
    ['0', START_MS],
    ['7', START_MS + 7000],
    [' 7 ', START_MS + 7000],
    ['999999999', START_MS + 999_999_999_000],
    ['1780000007', START_MS + 7000],
    ['1780000007000', START_MS + 7000],
    [new Date(START_MS + 7000).toUTCString(), START_MS + 7000],
    [new Date(START_MS + 7000).toISOString(), START_MS + 7000],
    ['2026-05-28T22:26:47+02:00', Date.parse('2026-05-28T20:26:47Z')],
    ['-1', null],
    ['1.5', null],
    ['7s', null],
    ['', null],
    ['soon', null],
    ['1e3', null],
    ['2026', START_MS + 2_026_000],
    ['2026-13-45', null],
    [null, null],
  ] as [string | null, number | null][])('%s', (text, expected) => {
    expect(restTimeOf(text, START_MS)).toBe(expected);
  });
});

describe('a target', () => {
  test('rests after five failures in a row, for longer with each probe that fails, and never beyond 2 s', () => {
    const health = new TargetHealth();
    for (let i = 0; i < 4; i++) expect(health.failed(0, false, true)).toBe(false);
    health.succeeded(false);
    for (let i = 0; i < 4; i++) expect(health.failed(0, false, true)).toBe(false);
    expect([health.failed(0, false, true), health.state, health.restsUntilMs]).toEqual([true, 'resting', 500]);
    let nowMs = 0;
    for (const restMs of [1000, 2000, 2000]) {
      nowMs = health.restsUntilMs!;
      expect([health.isProbeDue(nowMs - 1), health.isProbeDue(nowMs)]).toEqual([false, true]);
      health.beginProbe();
      expect([health.state, health.isProbeDue(nowMs)]).toEqual(['probing', false]);
      health.failed(nowMs, true, true);
      expect(health.restsUntilMs).toBe(nowMs + restMs);
    }
    health.beginProbe();
    expect([health.succeeded(true), String(health.state)]).toEqual([true, 'up']);
  });

  test('whose probe was cancelled is probed by the next request', () => {
    const health = new TargetHealth();
    health.refused(0, false, true);
    health.beginProbe();
    health.probeCancelled();
    expect([health.state, health.isProbeDue(500)]).toEqual(['resting', true]);
  });

  test('that is on trial rests with its next failure', () => {
    const health = new TargetHealth();
    health.refused(0, false, true);
    health.beginProbe();
    health.succeeded(true, true);
    expect([health.state, health.failed(600, false, true)]).toEqual(['up', true]);
    expect(health.restsUntilMs).toBe(600 + 1000);
  });

  test('is never rested for ever, and never probed twice at once, whatever happens', () => {
    const random = randomFrom(SEED);
    for (let round = 0; round < 500; round++) {
      const health = new TargetHealth();
      let nowMs = START_MS;
      let isProbed = false;
      for (let step = 0; step < 60; step++) {
        nowMs += random(1500);
        if (health.isProbeDue(nowMs)) {
          if (isProbed) throw new Error(`two probes at once, FUZZ_SEED=${SEED}`);
          health.beginProbe();
          isProbed = true;
        }
        const isProbe = isProbed && random(2) === 0;
        if (isProbe) isProbed = false;
        const mayRest = random(4) > 0;
        switch (random(isProbe ? 5 : 4)) {
          case 0:
            health.failed(nowMs, isProbe, mayRest);
            break;
          case 1:
            health.refused(nowMs, isProbe, mayRest);
            break;
          case 2:
            health.restUntil(nowMs + random(5000), nowMs, isProbe, mayRest);
            break;
          case 3:
            health.succeeded(isProbe);
            break;
          default:
            health.probeCancelled();
        }
        if (health.state !== 'up' && health.restsUntilMs! > nowMs + 24 * 3_600_000)
          throw new Error(`rests for ever, FUZZ_SEED=${SEED}`);
      }
      // Left alone, it is probed, and one good answer brings it back.
      if (isProbed) health.probeCancelled();
      if (health.state === 'up') continue;
      expect(health.isProbeDue(health.restsUntilMs!)).toBe(true);
      health.beginProbe();
      health.succeeded(true);
      expect<string>(health.state).toBe('up');
    }
  });
});

test('the retry budget holds in every window of ten seconds', () => {
  const random = randomFrom(SEED + 1);
  for (const percent of [0, 20, 100]) {
    const budget = new RetryBudget(percent);
    const requests: number[] = [];
    const retries: number[] = [];
    let nowMs = START_MS;
    for (let step = 0; step < 5000; step++) {
      nowMs += random(step % 500 < 250 ? 10 : 400);
      budget.request(nowMs);
      requests.push(nowMs);
      for (let wanted = random(3); wanted > 0; wanted--) {
        const sinceMs = (Math.floor(nowMs / 1000) - 9) * 1000;
        const inWindow = (times: number[]) => times.filter((time) => time >= sinceMs).length;
        const allowed = Math.max(3, Math.floor((inWindow(requests) * percent) / 100));
        const isLeft = inWindow(retries) < allowed;
        if (budget.take(nowMs) !== isLeft) throw new Error(`step ${step} at ${percent}%, FUZZ_SEED=${SEED}`);
        if (isLeft) retries.push(nowMs);
      }
    }
  }
});

describe('the choice', () => {
  const headers = (fields: Record<string, string> = {}) => ({
    get: (name: string) => fields[name] ?? null,
    keys: () => Object.keys(fields),
  });

  /** The client only notes the probes of our own. */
  function poolOf(targets: { name: string; models?: string[]; weight?: number; maxConcurrent?: number }[]) {
    const probes: UpstreamSink[] = [];
    const client: UpstreamClient = {
      send: (_, sink) => {
        probes.push(sink);
        return { pause: () => {}, resume: () => {}, abort: () => {} };
      },
      close: () => {},
    };
    const budget = new RetryBudget(20);
    const pool = new TargetPool(
      targets.map(({ name, models, weight = 1, maxConcurrent = null }) => ({
        name,
        client,
        credentials: new HeaderBlock([]),
        weight,
        maxConcurrent,
        models: models ? new Set(models) : null,
      })),
      {
        budget,
        events: { onRest: () => {}, onReturn: () => {}, onKeyRefused: () => {} },
        probeTimeoutMs: 3_600_000,
      },
    );
    return { pool, budget, probes };
  }

  test('follows the weights, also when nothing is in flight', () => {
    const { pool } = poolOf([
      { name: 'a', weight: 3 },
      { name: 'b', weight: 1 },
    ]);
    const names = Array.from({ length: 8 }, () => pool.choose(null, [], true, START_MS)!.name);
    expect(names.filter((name) => name === 'a').length).toBe(6);
    const inFlight = { a: 0, b: 0 } as Record<string, number>;
    for (let i = 0; i < 40; i++) {
      const target = pool.choose(null, [], true, START_MS)!;
      target.begin({}, false);
      inFlight[target.name]!++;
    }
    expect(inFlight).toEqual({ a: 30, b: 10 });
  });

  test('for each model some target that lists it is up, whatever they answer', () => {
    const random = randomFrom(SEED + 2);
    for (let round = 0; round < 200; round++) {
      const { pool, budget } = poolOf([
        { name: 'a', models: ['x', 'y'] },
        { name: 'b', models: ['y', 'z'] },
        { name: 'c' },
        { name: 'd', models: ['x'] },
      ]);
      let nowMs = START_MS;
      for (let step = 0; step < 80; step++) {
        nowMs += random(800);
        budget.request(nowMs);
        const model = pick(random, ['x', 'y', 'z', 'other', null]);
        const target = pool.choose(model, [], random(2) === 0, nowMs);
        if (target === null) throw new Error(`nobody is asked for ${model}, FUZZ_SEED=${SEED}`);
        if (!target.serves(model)) throw new Error(`${target.name} does not list ${model}, FUZZ_SEED=${SEED}`);
        const token = {};
        target.begin(token, target.health.state !== 'up');
        const status = pick(random, [200, 200, 401, 429, 500, 503, 0]);
        if (status === 0) target.failed(token, 'reset', true, nowMs);
        else target.answered(token, status, headers(), nowMs);
        target.end(token);
        for (const each of ['x', 'y', 'z', 'other', null]) {
          if (
            !pool.all.some(
              ({ health, ...rest }) =>
                health.state === 'up' && (each === null || rest.share.models === null || rest.share.models.has(each)),
            )
          )
            throw new Error(`no target is up for ${each}, FUZZ_SEED=${SEED}`);
        }
      }
    }
  });

  test('one that failed without an answer is probed by a request of ours, and is on trial then', () => {
    const { pool, budget, probes } = poolOf([{ name: 'a' }, { name: 'b' }]);
    budget.request(START_MS);
    const [a, b] = pool.all;
    for (let i = 0; i < 5; i++) {
      a!.begin(a!, false);
      a!.failed(a!, 'reset', true, START_MS);
      a!.end(a!);
    }
    expect(a!.health.state).toBe('resting');
    for (let i = 0; i < 5; i++) expect(pool.choose(null, [], true, START_MS + 500)).toBe(b!);
    expect([probes.length, a!.health.state, a!.inFlight]).toEqual([1, 'probing', 1]);
    probes[0]!.head(200, headers());
    expect([a!.health.state, a!.inFlight]).toEqual(['up', 0]);
    a!.begin(a!, false);
    a!.failed(a!, 'reset', true, Date.now());
    expect(a!.health.state).toBe('resting');
  });

  test('a target that has just failed is avoided when the failure could not be made good', () => {
    const { pool } = poolOf([{ name: 'a' }, { name: 'b' }]);
    const [a, b] = pool.all;
    a!.begin(a!, false);
    a!.answered(a!, 503, headers(), START_MS);
    a!.end(a!);
    b!.begin({}, false);
    // Least loaded, and a retry is left.
    expect(pool.choose(null, [], true, START_MS)).toBe(a!);
    expect(pool.choose(null, [], false, START_MS)).toBe(b!);
  });

  test('a target that is removed finishes what it has, one that is configured again stays as it is', () => {
    let closed = 0;
    const send = () => ({ pause: () => {}, resume: () => {}, abort: () => {} });
    const parts = (name: string, client: UpstreamClient) => ({
      name,
      client,
      credentials: new HeaderBlock([]),
      weight: 1,
      maxConcurrent: null,
      models: null,
    });
    const kept = parts('a', { send, close: () => closed++ });
    const removed = parts('b', { send, close: () => closed++ });
    const pool = new TargetPool([kept, removed], {
      budget: new RetryBudget(20),
      events: { onRest: () => {}, onReturn: () => {}, onKeyRefused: () => {} },
      probeTimeoutMs: 1,
    });
    const [a, b] = pool.all;
    b!.begin(b!, false);
    pool.replace([{ ...kept, weight: 5 }]);
    expect([pool.all, a!.share.weight, closed]).toEqual([[a!], 5, 0]);
    b!.end(b!);
    expect(closed).toBe(1);
  });
});
