/** Counting, the text format, and the bound of what there may be. */
import { describe, expect, test } from 'bun:test';
import { LINES_MAX, Registry } from '../../../src/observe/metrics/registry.ts';
import { mergeSnapshots, metricsText } from '../../../src/observe/metrics/text.ts';

const textOf = (registry: Registry) => metricsText(registry.snapshot());

describe('metrics', () => {
  test('have their help and type also without a series', () => {
    const registry = new Registry();
    registry.counter({ name: 'a_total', help: 'Some.', labels: ['x'] });
    registry.histogram({ name: 'b_seconds', help: 'Others.' }, [1]);
    expect(textOf(registry)).toBe(
      '# HELP a_total Some.\n# TYPE a_total counter\n# HELP b_seconds Others.\n# TYPE b_seconds histogram\n',
    );
  });

  test('have labels, escaped, and leave out those without a value', () => {
    const registry = new Registry();
    const family = registry.counter({ name: 'a_total', help: 'h', labels: ['x', 'y'] });
    family.at('1', 'say "\\\n"').value += 2;
    family.at('', 'z').value++;
    family.at(200, '').value++;
    expect(textOf(registry).split('\n').slice(2, -1)).toEqual([
      'a_total{x="1",y="say \\"\\\\\\n\\""} 2',
      'a_total{y="z"} 1',
      'a_total{x="200"} 1',
    ]);
  });

  test('histograms are cumulative, and a bound belongs to its bucket', () => {
    const registry = new Registry();
    const histogram = registry.histogram({ name: 'b_seconds', help: 'h', labels: ['x'] }, [0.5, 1]).at('v');
    for (const value of [0.25, 0.5, 0.75, 1, 5]) histogram.observe(value);
    expect(textOf(registry).split('\n').slice(2, -1)).toEqual([
      'b_seconds_bucket{x="v",le="0.5"} 2',
      'b_seconds_bucket{x="v",le="1"} 4',
      'b_seconds_bucket{x="v",le="+Inf"} 5',
      'b_seconds_sum{x="v"} 7.5',
      'b_seconds_count{x="v"} 5',
    ]);
  });

  test('are bounded in number, and what is beyond disturbs nothing', () => {
    const registry = new Registry();
    const histograms = registry.histogram({ name: 'b_seconds', help: 'h', labels: ['x'] }, [1, 2, 3]);
    const counters = registry.counter({ name: 'a_total', help: 'h', labels: ['x'] });
    for (let i = 0; i < 20_000; i++) {
      histograms.at(i).observe(1);
      counters.at(i).value++;
    }
    counters.at(7).value++;
    const lines = textOf(registry)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines.length).toBeLessThanOrEqual(LINES_MAX);
    expect(lines.length).toBeGreaterThan(LINES_MAX - 6);
    expect(lines).toContain('a_total{x="7"} 2');
  });

  test('of several processes are added, and of some the largest is taken', () => {
    const process = (count: number, lag: number, label: string) => {
      const registry = new Registry();
      registry.counter({ name: 'a_total', help: 'h', labels: ['x'] }).at(label).value = count;
      registry.gauge({ name: 'lag', help: 'h' }, 'max').at().value = lag;
      registry.histogram({ name: 'b_seconds', help: 'h' }, [1]).at().observe(count);
      // As it comes from another process.
      return JSON.parse(JSON.stringify(registry.snapshot()));
    };
    const merged = mergeSnapshots([process(1, 5, 'p'), process(2, 3, 'p'), process(4, 1, 'q')]);
    const lines = metricsText(merged)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
    expect(lines).toEqual([
      'a_total{x="p"} 3',
      'a_total{x="q"} 4',
      'lag 5',
      'b_seconds_bucket{le="1"} 1',
      'b_seconds_bucket{le="+Inf"} 3',
      'b_seconds_sum 7',
      'b_seconds_count 3',
    ]);
  });
});
