/** The ledger of the soak finds what does not balance, and excuses only what the soak itself has done. */
import { describe, expect, test } from 'bun:test';
import type { Saw } from '../../bench/soak/explanation.ts';
import type { Outage } from '../../bench/soak/gateway-process.ts';
import { livedMs } from '../../bench/soak/gateway-process.ts';
import type { SoakKey } from '../../bench/soak/keys.ts';
import { BY_NEIGHBOUR, entryOf } from '../../bench/soak/ledger.ts';
import { limitProblems } from '../../bench/soak/limits-check.ts';
import type { ClientOutcome } from '../../bench/soak/outcome.ts';
import { type PlannedRequest, planRequest } from '../../bench/soak/planned-request.ts';
import { SettingTimeline } from '../../bench/soak/timeline.ts';
import { slopeOf } from '../../bench/soak/vitals.ts';
import { FAULT_KINDS, FRAMINGS } from '../../src/mock/scenario.ts';
import { newRecordId, type UsageRecord } from '../../src/usage/usage-record.ts';

const T = 1_800_000_000_000;

/** The first request of the plan that is like this. */
function planned(matches: (plan: PlannedRequest) => boolean): PlannedRequest {
  for (let number = 0; number < 20_000; number++) {
    const { plan } = planRequest(1, number);
    if (matches(plan)) return plan;
  }
  throw new Error('no such request within 20,000');
}

const CHAT = planned(
  ({ kind, fault, behaviour, role }) =>
    kind.name === 'chat' && fault === 'none' && behaviour.does === 'read' && role === 'plain',
);

function key(fields: Partial<SoakKey> = {}): SoakKey {
  const created = { fromMs: 0, toMs: 0 };
  return {
    id: 'key-1',
    role: 'plain',
    state: new SettingTimeline({ value: 'active', ...created }, 0),
    secrets: [{ text: 'secret', works: new SettingTimeline({ value: true, ...created }, 0) }],
    limits: new Map(),
    ...fields,
  };
}

function outcome(fields: Partial<ClientOutcome> = {}): ClientOutcome {
  return {
    requestId: 'r-1',
    plan: CHAT,
    keyId: 'key-1',
    secret: 0,
    sentMs: T,
    headMs: T + 5,
    endMs: T + 10,
    saw: 'complete',
    status: 200,
    errorCode: null,
    errorMessage: null,
    bodyBytes: 300,
    complaint: null,
    upstreamKey: null,
    behind: null,
    ...fields,
  };
}

function record(fields: Partial<UsageRecord> = {}): UsageRecord {
  return {
    id: newRecordId(),
    requestId: 'r-1',
    upstreamRequestId: null,
    keyId: 'key-1',
    endpoint: '/v1/chat/completions',
    model: 'gpt-4o',
    status: 200,
    streamed: false,
    startedAt: T,
    admittedAt: T,
    sentMs: 1,
    headMs: 4,
    ttfbMs: 5,
    durationMs: 9,
    cancelMs: null,
    bytesOut: 300,
    finish: 'complete',
    errorCode: null,
    target: 'a',
    attempts: 1,
    promptTokens: 9,
    cachedTokens: null,
    completionTokens: CHAT.tokens! - 9,
    reasoningTokens: null,
    totalTokens: CHAT.tokens,
    usageSource: 'upstream',
    ...fields,
  };
}

interface Given {
  readonly key?: SoakKey;
  readonly outages?: readonly Outage[];
  readonly stops?: readonly { target: string; atMs: number; backMs: number }[];
}

function problemOf(of: ClientOutcome, records: readonly UsageRecord[], given: Given = {}): string | null {
  const keys = new Map([['key-1', given.key ?? key()]]);
  return entryOf(of, records, { keys, outages: given.outages ?? [], targetStops: given.stops ?? [] }).problem;
}

const saw = (what: Saw, status = 0): Partial<ClientOutcome> => ({
  saw: what,
  status,
  headMs: status === 0 ? null : T + 5,
});
const BROKEN = { finish: 'upstream_interrupted', errorCode: 'upstream_stream_interrupted' } as const;

describe('one request against its record', () => {
  test('a whole answer balances with one record of it', () => {
    expect(problemOf(outcome(), [record()])).toBeNull();
  });

  test('a record that is missing, there twice, or of another end does not balance', () => {
    expect(problemOf(outcome(), [])).toBe('the record is missing');
    expect(problemOf(outcome(), [record(), record()])).toBe('2 records');
    expect(problemOf(outcome(), [record({ finish: 'client_closed' })])).toBe('the record tells something else');
  });

  test('bytes, tokens, status and endpoint on record are those that came', () => {
    expect(problemOf(outcome(), [record({ bytesOut: 299 })])).toContain('299 bytes');
    expect(problemOf(outcome(), [record({ totalTokens: null })])).toContain('null tokens');
    expect(problemOf(outcome(), [record({ status: 502 })])).toContain('status 502');
    expect(problemOf(outcome(), [record({ endpoint: '/v1/models' })])).toContain('/v1/models');
  });

  test('a body that is not that of upstream is a finding, whatever is on record', () => {
    expect(problemOf(outcome({ complaint: "byte 7 is not upstream's" }), [record()])).toContain('byte 7');
  });

  test('an error, a cut or a lost connection that nothing explains is a finding', () => {
    for (const seen of [
      saw('reset', 200),
      saw('unanswered'),
      saw('refused'),
      saw('unfinished'),
      saw('complete', 503),
    ]) {
      expect(problemOf(outcome(seen), [])).toBe('nothing explains what the client saw');
    }
  });

  test('a broken stream that was planned balances only with a record of the break', () => {
    const plan = planned(
      ({ fault, role, behaviour }) =>
        fault === 'end early behind an event' && role === 'plain' && behaviour.does === 'read',
    );
    const interrupted = outcome({ plan, saw: 'interrupted' });
    const of = { endpoint: plan.kind.endpoint! };
    expect(problemOf(interrupted, [record({ ...of, ...BROKEN })])).toBeNull();
    expect(problemOf(interrupted, [record(of)])).toBe('the record tells something else');
    expect(problemOf({ ...interrupted, saw: 'complete' }, [record(of)])).toBe('nothing explains what the client saw');
  });

  test('a client that left while it read is on record as that, and a key that drains has its tokens', () => {
    const isSuch = (role: string) => (plan: PlannedRequest) =>
      plan.role === role &&
      plan.kind.name === 'chat stream' &&
      plan.behaviour.does === 'leave' &&
      plan.behaviour.at === 'reading';
    const left = outcome({ plan: planned(isSuch('plain')), saw: 'left' });
    expect(problemOf(left, [record({ finish: 'client_closed', totalTokens: null })])).toBeNull();
    expect(problemOf(left, [record()])).toBe('the record tells something else');
    const drained = outcome({ plan: planned(isSuch('drains')), saw: 'left' });
    const tokens = drained.plan.tokens;
    expect(problemOf(drained, [record({ finish: 'client_closed', totalTokens: tokens })])).toBeNull();
    expect(problemOf(drained, [record({ finish: 'client_closed', totalTokens: null })])).toContain(
      'of a client that left',
    );
  });

  test('a 502 that a neighbour on the connection may have caused is told as that, so that they can be counted', () => {
    const entry = entryOf(
      outcome({ status: 502, errorCode: 'upstream_error' }),
      [record({ status: 502, finish: 'error', errorCode: 'upstream_error' })],
      { keys: new Map([['key-1', key()]]), outages: [], targetStops: [] },
    );
    expect(entry.explanation?.why).toBe(BY_NEIGHBOUR);
  });
});

describe('what a kill may cost', () => {
  /** Alive every 5 ms until the kill at T + 1000. */
  const pulse = Array.from({ length: 80 }, (_, i) => T + 600 + i * 5);
  const kill: Outage = { kind: 'kill', fromMs: T + 1_000, exitMs: T + 1_010, readyMs: T + 2_000, pulse };

  test('the record of a request that ended in the last 100 ms, and of no earlier one', () => {
    const endedBefore = (ms: number) => outcome({ endMs: T + 1_000 - ms });
    expect(problemOf(endedBefore(60), [], { outages: [kill] })).toBeNull();
    expect(problemOf(endedBefore(150), [], { outages: [kill] })).toBe('the record is missing');
  });

  test('time in which the machine did not let the process run is not counted', () => {
    const stopped = { ...kill, pulse: [...pulse.filter((atMs) => atMs < T + 700), T + 990] };
    expect(livedMs(stopped, T + 690)).toBeLessThan(60);
    expect(problemOf(outcome({ endMs: T + 690 }), [], { outages: [stopped] })).toBeNull();
    expect(problemOf(outcome({ endMs: T + 602 }), [], { outages: [stopped] })).toBe('the record is missing');
  });

  test('what was in flight may be cut and have no record; what came later finds nobody', () => {
    const inFlight = outcome({ ...saw('reset', 200), sentMs: T + 500, endMs: T + 1_002 });
    expect(problemOf(inFlight, [], { outages: [kill] })).toBeNull();
    expect(
      problemOf(outcome({ ...saw('refused'), sentMs: T + 1_500, endMs: T + 1_501 }), [], { outages: [kill] }),
    ).toBeNull();
    expect(
      problemOf(outcome({ ...saw('refused'), sentMs: T + 2_100, endMs: T + 2_101 }), [], { outages: [kill] }),
    ).not.toBeNull();
  });
});

describe('what a graceful restart may cost', () => {
  const stop: Outage = { kind: 'stop', fromMs: T + 1_000, exitMs: T + 3_000, readyMs: T + 4_000, pulse: [] };
  const drained = { status: 503, errorCode: 'overloaded' };
  const refused = record({ status: 503, finish: 'error', errorCode: 'overloaded', admittedAt: null });

  test('new requests are refused, on record', () => {
    const late = outcome({ ...drained, sentMs: T + 1_500, endMs: T + 1_501 });
    expect(problemOf(late, [refused], { outages: [stop] })).toBeNull();
    expect(problemOf(late, [], { outages: [stop] })).toBe('the record is missing');
  });

  test('what was in flight is not cut before the drain is over', () => {
    const cut = outcome({ ...saw('reset', 200), sentMs: T + 500, endMs: T + 2_900 });
    const error = record({ finish: 'error', errorCode: 'overloaded' });
    expect(problemOf(cut, [error], { outages: [stop] })).toBe('nothing explains what the client saw');
    const long = { ...stop, exitMs: T + 6_100, readyMs: T + 7_000 };
    expect(problemOf({ ...cut, endMs: T + 6_005 }, [error], { outages: [long] })).toBeNull();
    expect(problemOf({ ...cut, endMs: T + 6_005 }, [], { outages: [long] })).toBe('the record is missing');
  });

  test('a finished request has its record, however soon the stop came', () => {
    expect(problemOf(outcome({ endMs: T + 999 }), [], { outages: [stop] })).toBe('the record is missing');
  });
});

describe('what a killed target may cost', () => {
  const stops = [{ target: 'a', atMs: T + 100, backMs: T + 900 }];
  const broken = outcome({ status: 502, errorCode: 'upstream_error', endMs: T + 102 });

  test('the requests that were under way through it, and no others', () => {
    const of = (target: string) => record({ status: 502, finish: 'error', errorCode: 'upstream_error', target });
    expect(problemOf(broken, [of('a')], { stops })).toBeNull();
    const entry = (target: string) =>
      entryOf(broken, [of(target)], { keys: new Map([['key-1', key()]]), outages: [], targetStops: stops });
    expect(entry('a').explanation?.why).toContain('target a');
    expect(entry('b').explanation?.why).toBe(BY_NEIGHBOUR);
    const cut = outcome({ ...saw('reset', 200), endMs: T + 102 });
    expect(problemOf(cut, [record({ ...BROKEN, target: 'a' })], { stops })).toBeNull();
    expect(problemOf(cut, [record({ ...BROKEN, target: 'b' })], { stops })).not.toBeNull();
    expect(
      problemOf({ ...cut, sentMs: T + 500, endMs: T + 600 }, [record({ ...BROKEN, target: 'a' })], { stops }),
    ).not.toBeNull();
  });
});

describe('changes of keys', () => {
  const suspendedAt = (fromMs: number, toMs: number, lagMs: number) => {
    const state = new SettingTimeline<'active' | 'suspended'>({ value: 'active', fromMs: 0, toMs: 0 }, lagMs);
    state.add({ value: 'suspended', fromMs, toMs });
    return key({ state: state as SoakKey['state'] });
  };
  const forbidden = outcome({ status: 403, errorCode: 'api_key_suspended' });

  test('a suspended key is refused from the answer on, and either way while the change is made', () => {
    const before = { key: suspendedAt(T - 20, T - 10, 0) };
    expect(problemOf(outcome(), [record()], before)).toBe('nothing explains what the client saw');
    expect(problemOf(forbidden, [], before)).toBeNull();
    const meanwhile = { key: suspendedAt(T + 1, T + 3, 0) };
    expect(problemOf(outcome(), [record()], meanwhile)).toBeNull();
    expect(problemOf(forbidden, [], meanwhile)).toBeNull();
    const after = { key: suspendedAt(T + 8, T + 9, 0) };
    expect(problemOf(forbidden, [], after)).toBe('nothing explains what the client saw');
  });

  test('with several processes it may take its time, and no longer', () => {
    expect(problemOf(outcome(), [record()], { key: suspendedAt(T - 900, T - 890, 1_000) })).toBeNull();
    expect(problemOf(outcome(), [record()], { key: suspendedAt(T - 1_200, T - 1_190, 1_000) })).not.toBeNull();
  });

  test('a refusal by the state of a key leaves no record', () => {
    expect(
      problemOf(forbidden, [record({ status: 403, finish: 'error' })], { key: suspendedAt(T - 20, T - 10, 0) }),
    ).toBe('the record tells something else');
  });

  test('a secret that was rotated out is refused', () => {
    const works = new SettingTimeline({ value: true, fromMs: 0, toMs: 0 }, 0);
    works.add({ value: false, fromMs: T - 20, toMs: T - 10 });
    const rotated = { key: key({ secrets: [{ text: 'old', works }] }) };
    expect(problemOf(outcome({ status: 401, errorCode: 'invalid_api_key' }), [], rotated)).toBeNull();
    expect(problemOf(outcome(), [record()], rotated)).not.toBeNull();
  });
});

describe('limits', () => {
  const limited = (field: 'rpm_limit' | 'max_concurrent', value: number) =>
    key({
      role: field === 'rpm_limit' ? 'minute' : 'concurrent',
      limits: new Map([[field, new SettingTimeline<number | null>({ value, fromMs: 0, toMs: 0 }, 0)]]),
    });
  const check = (of: SoakKey, records: readonly UsageRecord[], outcomes: readonly ClientOutcome[] = []) =>
    limitProblems({ key: of, records, outcomes, countersAreShared: false, outages: [] });
  const admitted = (...times: readonly number[]) =>
    times.map((atMs) => record({ startedAt: T + atMs, admittedAt: T + atMs }));
  const refusedBy = (limit: string, atMs: number) =>
    outcome({ sentMs: T + atMs, endMs: T + atMs + 1, status: 429, errorMessage: `Rate limit exceeded: ${limit}` });

  test('more in a minute than allowed is a finding, a new minute is none', () => {
    expect(check(limited('rpm_limit', 2), admitted(0, 10, 61_000))).toEqual([]);
    expect(check(limited('rpm_limit', 2), admitted(0, 10, 20))).toEqual([expect.stringContaining('3 requests')]);
  });

  test('a refusal before the limit is used up is a finding', () => {
    expect(check(limited('rpm_limit', 2), admitted(0, 10), [refusedBy('requests per minute', 500)])).toEqual([]);
    expect(check(limited('rpm_limit', 3), admitted(0, 10), [refusedBy('requests per minute', 500)])).toHaveLength(1);
  });

  test('more at once than allowed is a finding, and so is a refusal when there was room', () => {
    const long = (atMs: number) => record({ startedAt: T + atMs, admittedAt: T + atMs, durationMs: 1_000 });
    expect(check(limited('max_concurrent', 2), [long(0), long(100), long(1_200)])).toEqual([]);
    expect(check(limited('max_concurrent', 1), [long(0), long(100)])).toHaveLength(1);
    expect(check(limited('max_concurrent', 2), [long(0)], [refusedBy('concurrent requests', 500)])).toHaveLength(1);
  });
});

describe('the plan', () => {
  test('the same seed and number give the same request', () => {
    const bytes = (seed: number) => planRequest(seed, 7).bytes('id', 'key').toString();
    expect(bytes(1)).toBe(bytes(1));
    expect(bytes(1)).not.toBe(bytes(2));
  });

  test('every fault and framing of the mock is in it', () => {
    const wanted = new Set([
      ...FAULT_KINDS.map((kind) => `"fault":{"kind":"${kind}"`),
      // Those two are what well-behaved answers have.
      ...FRAMINGS.filter((framing) => framing !== 'chunked' && framing !== 'length').map(
        (framing) => `"framing":"${framing}"`,
      ),
    ]);
    for (let number = 0; number < 10_000 && wanted.size > 0; number++) {
      const text = decodeURIComponent(
        planRequest(1, number)
          .bytes('id', 'key')
          .toString('latin1')
          .slice(0, 4_000)
          .replace(/%(?![0-9A-F]{2})/g, ''),
      );
      for (const each of wanted) if (text.includes(each)) wanted.delete(each);
    }
    expect([...wanted]).toEqual([]);
  });
});

test('the growth of memory is the slope of the straight line through the samples', () => {
  expect(
    slopeOf([
      [0, 100],
      [1, 102],
      [2, 104],
    ]),
  ).toBeCloseTo(2);
  expect(
    slopeOf([
      [0, 100],
      [1, 110],
      [2, 100],
    ]),
  ).toBeCloseTo(0);
});
