import { describe, expect, test } from 'bun:test';
import { groupAt } from '../../src/dashboard/app/pages/usage/summary-groups.ts';
import { partsOf, periodsOf, ROWS_AT_ONCE } from '../../src/dashboard/app/pages/usage/summary-parts.ts';
import { readUsageView } from '../../src/dashboard/app/pages/usage/usage-view.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');
const view = (query: string) => readUsageView(new URLSearchParams(query), NOW);

describe('the view of the usage page, from its address', () => {
  test('is the last 30 days by model without one', () => {
    expect(view('')).toEqual({
      range: '30d',
      from: '2026-10-28',
      to: '2026-11-26',
      step: 'day',
      split: 'model',
      measure: 'total_tokens',
      keyId: '',
    });
  });

  test('knows the ranges, in UTC days', () => {
    expect(view('range=7d')).toMatchObject({ from: '2026-11-20', to: '2026-11-26' });
    expect(view('range=month')).toMatchObject({ from: '2026-11-01', to: '2026-11-26' });
    expect(view('range=last-month')).toMatchObject({ from: '2026-10-01', to: '2026-10-31' });
    expect(view('range=12m')).toMatchObject({ from: '2025-12-01', to: '2026-11-26', step: 'month' });
  });

  test('takes a range of its own, and no nonsense', () => {
    expect(view('from=2026-01-31&to=2026-02-01')).toMatchObject({
      range: 'custom',
      from: '2026-01-31',
      to: '2026-02-01',
    });
    expect(view('from=2026-02-02&to=2026-02-01').range).toBe('30d');
    expect(view('from=yesterday&to=today').range).toBe('30d');
    expect(view('range=custom').range).toBe('30d');
    expect(view('split=anything&measure=joy')).toMatchObject({ split: 'model', measure: 'total_tokens' });
    expect(view('split=tag:team')).toMatchObject({ split: 'tag:team' });
    expect(view('split=none')).toMatchObject({ split: '' });
  });

  test('shows months where days would be thinner than a line', () => {
    expect(view('from=2020-01-01&to=2026-01-01&by=day').step).toBe('month');
    expect(view('range=90d&by=month').step).toBe('month');
    expect(view('range=90d').step).toBe('day');
  });
});

describe('a summary of many rows', () => {
  const days = { step: 'day', from: '2026-11-01', to: '2026-11-30' } as const;

  test('is asked for in parts that the API gives, each day once', () => {
    expect(partsOf(days, 10)).toEqual([{ from: '2026-11-01', to: '2026-11-30' }]);
    for (const groups of [0, 1, 300, 1000, 8000, 10_000, 50_000]) {
      const parts = partsOf(days, groups);
      expect(parts.flatMap((part) => periodsOf({ step: 'day', ...part }))).toEqual(periodsOf(days));
      const rows = parts.map((part) => periodsOf({ step: 'day', ...part }).length * groups);
      if (groups <= ROWS_AT_ONCE) expect(Math.max(...rows)).toBeLessThanOrEqual(ROWS_AT_ONCE);
    }
  });

  test('never cuts a month in two', () => {
    expect(partsOf({ step: 'month', from: '2026-01-15', to: '2026-03-10' }, 8000)).toEqual([
      { from: '2026-01-15', to: '2026-01-31' },
      { from: '2026-02-01', to: '2026-02-28' },
      { from: '2026-03-01', to: '2026-03-10' },
    ]);
  });
});

test('a row with one grouping or two', () => {
  const numbers = {
    requests: 1,
    errors: 0,
    prompt_tokens: 0,
    cached_tokens: 0,
    completion_tokens: 0,
    reasoning_tokens: 0,
    total_tokens: 0,
  };
  expect(groupAt({ group: 'a', ...numbers }, 0)).toBe('a');
  expect(groupAt({ group: null, ...numbers }, 0)).toBeNull();
  expect(groupAt({ group: ['2026-01-01', null], ...numbers }, 1)).toBeNull();
  expect(groupAt({ group: ['2026-01-01', 'a'], ...numbers }, 1)).toBe('a');
});
