/** The window of ten seconds that the live view shows. */
import { describe, expect, test } from 'bun:test';
import { LiveWindow } from '../../src/observe/live-window.ts';
import { settledExchange } from './settled-exchange.ts';

function windowAt(startMs = 1_000_000) {
  const clock = { nowMs: startMs, now: () => clock.nowMs };
  return { clock, window: new LiveWindow(clock) };
}

const EMPTY = { requestsPerS: 0, tokensPerS: 0, ttfbMs: { p50: null, p95: null, p99: null }, errors: {} };
const usageOf = (totalTokens: number) =>
  ({ promptTokens: 1, cachedTokens: null, completionTokens: 1, reasoningTokens: null, totalTokens }) as const;

describe('the live window', () => {
  test('has nothing to begin with, and nothing again after ten seconds', () => {
    const { clock, window } = windowAt();
    expect({ ...window.totals(), errors: { ...window.totals().errors } }).toEqual(EMPTY);
    window.settled(settledExchange({ errorCode: 'overloaded', ttfbMs: 5 }));
    clock.nowMs += 9_700;
    expect(window.totals()).toMatchObject({ requestsPerS: 0.1, errors: { overloaded: 1 } });
    clock.nowMs += 400;
    expect({ ...window.totals(), errors: { ...window.totals().errors } }).toEqual(EMPTY);
  });

  test('tells rates per second, and errors by code', () => {
    const { clock, window } = windowAt();
    for (let i = 0; i < 40; i++) {
      window.settled(settledExchange({ usage: usageOf(25), errorCode: i % 4 === 0 ? 'upstream_error' : null }));
      clock.nowMs += 100;
    }
    expect(window.totals()).toMatchObject({ requestsPerS: 4, tokensPerS: 100, errors: { upstream_error: 10 } });
  });

  test('tells percentiles of the first byte to within 3%', () => {
    const { window } = windowAt();
    for (let ms = 1; ms <= 1000; ms++) window.settled(settledExchange({ ttfbMs: ms }));
    window.settled(settledExchange({ ttfbMs: null }));
    const { p50, p95, p99 } = window.totals().ttfbMs;
    for (const [told, is] of [
      [p50, 500],
      [p95, 950],
      [p99, 990],
    ] as const) {
      expect(Math.abs(told! / is - 1)).toBeLessThan(0.03);
    }
  });

  test('keeps a bounded number of codes, whatever upstream calls its errors', () => {
    const { window } = windowAt();
    for (let i = 0; i < 500; i++) window.settled(settledExchange({ errorCode: i === 7 ? '__proto__' : `code-${i}` }));
    const { errors } = window.totals();
    expect(Object.keys(errors).length).toBe(41);
    expect(Object.keys(errors)).toContain('__proto__');
    expect(errors.other).toBe(460);
  });

  test('takes the shortest and the longest times', () => {
    const { window } = windowAt();
    window.settled(settledExchange({ ttfbMs: 0 }));
    window.settled(settledExchange({ ttfbMs: 1e9 }));
    const { p50, p99 } = window.totals().ttfbMs;
    expect(p50).toBeLessThan(0.2);
    expect(p99).toBeGreaterThan(6_000_000);
  });
});
