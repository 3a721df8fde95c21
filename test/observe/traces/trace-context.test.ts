/** W3C Trace Context and the samplers. */
import { describe, expect, test } from 'bun:test';
import { createSampler } from '../../../src/observe/traces/sampler.ts';
import { parseTraceparent } from '../../../src/observe/traces/trace-context.ts';
import { Tracer } from '../../../src/observe/traces/tracer.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('traceparent', () => {
  test.each([
    [`00-${TRACE}-${SPAN}-01`, true, false],
    [`00-${TRACE}-${SPAN}-00`, false, false],
    [`00-${TRACE}-${SPAN}-03`, true, true],
    [`00-${TRACE}-${SPAN}-f8`, false, false],
    [` 00-${TRACE}-${SPAN}-01 `, true, false],
    [`cc-${TRACE}-${SPAN}-01`, true, false],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true, false],
  ])('%p is read', (header, isSampled, isRandom) => {
    expect(parseTraceparent(header)).toEqual({ traceId: TRACE, spanId: SPAN, isSampled, isRandom });
  });

  test.each([
    null,
    '',
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${TRACE}-${SPAN}-01-`,
    `cc-${TRACE}-${SPAN}-01.more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-1`,
    `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`,
    `0-${TRACE}-${SPAN}-01`,
  ])('%p is ignored', (header) => {
    expect(parseTraceparent(header)).toBeNull();
  });
});

describe('samplers', () => {
  const sampled = parseTraceparent(`00-${TRACE}-${SPAN}-01`);
  const unsampled = parseTraceparent(`00-${TRACE}-${SPAN}-00`);
  const decisions = (name: Parameters<typeof createSampler>[0]) =>
    [null, sampled, unsampled].map((parent) => createSampler(name, 0)(TRACE, parent));

  test('take the decision of the caller, or not', () => {
    expect(decisions('always_on')).toEqual([true, true, true]);
    expect(decisions('always_off')).toEqual([false, false, false]);
    expect(decisions('traceidratio')).toEqual([false, false, false]);
    expect(decisions('parentbased_always_on')).toEqual([true, true, false]);
    expect(decisions('parentbased_always_off')).toEqual([false, true, false]);
    expect(decisions('parentbased_traceidratio')).toEqual([false, true, false]);
  });

  test('keep a share of traces, and a larger share keeps those of a smaller one', () => {
    const tracer = new Tracer(createSampler('always_on', 1), () => {});
    const ids = Array.from({ length: 20_000 }, () => tracer.begin(new Headers()).traceId);
    expect(new Set(ids).size).toBe(ids.length);
    const kept = (ratio: number) => ids.filter((id) => createSampler('traceidratio', ratio)(id, null));
    expect(kept(0)).toEqual([]);
    expect(kept(1)).toEqual(ids);
    const tenth = kept(0.1);
    // Of a share of 0.1 of 20,000 the standard deviation is 42.
    expect(Math.abs(tenth.length - 2000)).toBeLessThan(300);
    const fifth = new Set(kept(0.2));
    expect(tenth.every((id) => fifth.has(id))).toBe(true);
  });
});
