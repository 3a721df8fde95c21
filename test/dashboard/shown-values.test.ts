import { describe, expect, test } from 'bun:test';
import {
  formatBytes,
  formatCompact,
  formatCount,
  formatMs,
  formatShare,
} from '../../src/dashboard/app/format/numbers.ts';
import { formatRelative, shiftDays, utcDaysBetween, utcMonthsBetween } from '../../src/dashboard/app/format/times.ts';
import { ENDPOINT_PATTERNS } from '../../src/dashboard/app/pages/requests/endpoint-patterns.ts';
import { phasesOf } from '../../src/dashboard/app/pages/requests/phases.ts';
import { ENDPOINTS } from '../../src/gateway/endpoints.ts';

describe('numbers', () => {
  test('have a unit that fits', () => {
    expect([0, 0.42, 9.96, 12.4, 999, 1234, 12_345, 75_000, 3_700_000].map((ms) => formatMs(ms))).toEqual([
      '0 ms',
      '0.4 ms',
      '10 ms',
      '12 ms',
      '999 ms',
      '1.23 s',
      '12.3 s',
      '1 min 15 s',
      '1 h 1 min',
    ]);
    expect([0, 999, 1500, 2_500_000, 7e9].map((bytes) => formatBytes(bytes))).toEqual([
      '0 B',
      '999 B',
      '1.5 kB',
      '2.5 MB',
      '7 GB',
    ]);
    expect([0, 0.5, 12.34, 9999, 12_345, 3_140_000].map((value) => formatCompact(value))).toEqual([
      '0',
      '0.50',
      '12.3',
      '9,999',
      '12.3K',
      '3.14M',
    ]);
    expect(formatCount(1_234_567)).toBe('1,234,567');
  });

  test('that are not known are a dash, never a zero', () => {
    for (const format of [formatCount, formatCompact, formatMs, formatBytes]) {
      expect(format(null)).toBe('–');
      expect(format(undefined)).toBe('–');
    }
    expect(formatShare(1, 0)).toBe('–');
    expect(formatShare(0, 5)).toBe('0%');
    expect(formatShare(1, 100_000)).toBe('<0.1%');
  });
});

describe('times', () => {
  const NOW = Date.parse('2026-11-26T12:00:00Z');
  const at = (seconds: number) => formatRelative(new Date(NOW + seconds * 1000).toISOString(), NOW);

  test('are said from now', () => {
    expect([-2, -50, -3000, -86_399, -86_400, -200 * 86_400, 7200].map(at)).toEqual([
      'just now',
      '50 s ago',
      '50 min ago',
      '23 h ago',
      '1 day ago',
      '6 months ago',
      'in 2 h',
    ]);
    expect(formatRelative(null, NOW)).toBe('never');
  });

  test('of usage are UTC days and months', () => {
    expect(utcDaysBetween('2026-02-27', '2026-03-01')).toEqual(['2026-02-27', '2026-02-28', '2026-03-01']);
    expect(utcDaysBetween('2026-03-02', '2026-03-01')).toEqual([]);
    expect(utcMonthsBetween('2025-11-30', '2026-02-01')).toEqual(['2025-11', '2025-12', '2026-01', '2026-02']);
    expect(shiftDays('2026-03-01', -1)).toBe('2026-02-28');
    expect(utcDaysBetween('0001-01-01', '9999-01-01').length).toBe(4000);
  });
});

test('the endpoints that the filter suggests exist', () => {
  const paths = ENDPOINTS.map(({ path }) => path);
  for (const pattern of ENDPOINT_PATTERNS) expect(paths).toContain(pattern);
});

describe('the parts of a request', () => {
  const names = (moments: Parameters<typeof phasesOf>[0]) =>
    phasesOf(moments).map(({ name, fromMs, toMs }) => [name, fromMs, toMs]);

  test('follow each other from its arrival to its end', () => {
    expect(names({ sentMs: 1, headMs: 100, ttfbMs: 110, durationMs: 900 })).toEqual([
      ['prepare', 0, 1],
      ['wait', 1, 100],
      ['start', 100, 110],
      ['answer', 110, 900],
    ]);
  });

  test('are fewer when it ended early', () => {
    expect(names({ sentMs: null, headMs: null, ttfbMs: null, durationMs: 2 })).toEqual([['ended', 0, 2]]);
    expect(names({ sentMs: 1, headMs: null, ttfbMs: null, durationMs: 2 })).toEqual([
      ['prepare', 0, 1],
      ['ended', 1, 2],
    ]);
  });

  test('never run backwards, whatever the clocks said', () => {
    for (const phase of phasesOf({ sentMs: 5, headMs: 3, ttfbMs: 20, durationMs: 10 })) {
      expect(phase.toMs).toBeGreaterThanOrEqual(phase.fromMs);
      expect(phase.toMs).toBeLessThanOrEqual(10);
    }
  });
});
