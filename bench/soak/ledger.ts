/**
 * The ledger of a soak: every request that a client sent against the usage record it left.
 *
 * A request balances when what the client saw is explained, by the plan of the request or by something that the soak did at
 * that time, and exactly the record is there that the contract demands for it. What kill -9 may cost: the record of a request
 * that ended in the last 100 ms the process lived, and of those that were in flight.
 */
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import type { ExpectedRecord, Explanation } from './explanation.ts';
import { livedMs, type Outage } from './gateway-process.ts';
import type { SoakKey } from './keys.ts';
import type { ClientOutcome } from './outcome.ts';
import type { TargetStop } from './targets.ts';

/** Contract, section 6. */
const LOST_AT_MOST_MS = 100;
/** A target's end reaches a request within this. */
const NEAR_MS = 250;
/** A request whose client left may go on for its usage: LEAVE_DRAIN_MS of the soak (set-up.ts), and what it takes to note it. */
export const SOAK_LEAVE_DRAIN_MS = 6_000;
export const SOAK_DRAIN_TIMEOUT_MS = 5_000;

interface World {
  readonly keys: ReadonlyMap<string, SoakKey>;
  readonly outages: readonly Outage[];
  readonly targetStops: readonly TargetStop[];
  /** When one process took the place of another; none: they never do. */
  readonly handovers?: readonly { readonly atMs: number; readonly doneMs: number }[];
}

export interface Entry {
  readonly outcome: ClientOutcome;
  readonly records: readonly UsageRecord[];
  /** What explains it; undefined: nothing does. */
  readonly explanation: Explanation | undefined;
  /** What is wrong with it; null: it balances. */
  readonly problem: string | null;
}

export function entryOf(outcome: ClientOutcome, records: readonly UsageRecord[], world: World): Entry {
  if (records.length > 1) return { outcome, records, explanation: undefined, problem: `${records.length} records` };
  const record = records[0];
  const seen = explanationsOf(outcome, world).filter((each) => isSeen(outcome, each));
  const explanation = seen.find((each) => isOnRecord(record, each.record));
  const entry = { outcome, records, explanation };
  if (outcome.complaint !== null) return { ...entry, problem: outcome.complaint };
  if (explanation) return { ...entry, problem: figuresProblem(outcome, record, explanation, world) };
  if (seen.length === 0) return { ...entry, problem: 'nothing explains what the client saw' };
  return { ...entry, problem: record ? 'the record tells something else' : 'the record is missing' };
}

function isSeen(outcome: ClientOutcome, { saw, status, code }: Explanation): boolean {
  if (outcome.saw !== saw || (status !== undefined && outcome.status !== status)) return false;
  // Anthropic's envelope has no code, and an answer to HEAD no envelope.
  return code === undefined || outcome.errorCode === null || outcome.errorCode === code;
}

function isOnRecord(record: UsageRecord | undefined, expected: Explanation['record']): boolean {
  if (expected === 'any or none') return true;
  if (expected === 'none') return record === undefined;
  if (record === undefined) return expected.mayBeMissing === true;
  return (
    record.finish === expected.finish &&
    (expected.errorCode === undefined || record.errorCode === expected.errorCode) &&
    (expected.target === undefined || record.target === expected.target)
  );
}

/** All that may come of a request, what was planned first. */
function explanationsOf(outcome: ClientOutcome, world: World): Explanation[] {
  const { plan } = outcome;
  const { passes, refusals } = byKey(outcome, world.keys);
  const all = [
    ...(passes ? plan.explanations : []),
    ...refusals,
    ...(passes && plan.kind.endpoint !== null ? limitRefusals(outcome) : []),
    ...world.outages.flatMap((outage) => byOutage(outcome, outage)),
    ...world.targetStops.flatMap((stop) => byTargetStop(outcome, stop)),
    ...(passes ? byNeighbour() : []),
    ...(world.handovers ?? []).flatMap((handover) => byHandover(outcome, handover)),
  ];
  return world.outages.some((outage) => mayBeLost(outcome, outage)) ? all.map(orLost) : all;
}

/** What the state of its key lets happen. */
function byKey(
  { keyId, secret, sentMs, headMs, endMs }: ClientOutcome,
  keys: ReadonlyMap<string, SoakKey>,
): { readonly passes: boolean; readonly refusals: readonly Explanation[] } {
  const refused = (status: number, code?: string): Explanation => ({
    saw: 'complete',
    status,
    record: 'none',
    ...(code === undefined ? {} : { code }),
    why: 'key',
  });
  const key = keyId === undefined ? undefined : keys.get(keyId);
  if (!key) return { passes: false, refusals: [refused(401), { saw: 'left', record: 'none' }] };
  const untilMs = headMs ?? endMs;
  const states = key.state.valuesWithin(sentMs, untilMs);
  const works = key.secrets[secret]!.works.valuesWithin(sentMs, untilMs);
  const refusals: Explanation[] = [];
  if (works.has(false) || states.has('deleted')) refusals.push(refused(401, 'invalid_api_key'));
  if (states.has('suspended')) refusals.push(refused(403, 'api_key_suspended'));
  if (states.has('revoked')) refusals.push(refused(403, 'api_key_revoked'));
  // It may leave before it is told.
  if (refusals.length > 0) refusals.push({ saw: 'left', record: 'none', why: 'key' });
  return { passes: states.has('active') && works.has(true), refusals };
}

const LIMITED = ['minute', 'day', 'concurrent'];

/** Whether the limit was really used up is for limits-check.ts to say. */
function limitRefusals({ plan }: ClientOutcome): Explanation[] {
  if (!LIMITED.includes(plan.role)) return [];
  const record = { finish: 'error', errorCode: 'rate_limit_exceeded' } as const;
  return [{ saw: 'complete', status: 429, code: 'rate_limit_exceeded', record, why: 'limit' }];
}

function orLost(explanation: Explanation): Explanation {
  const { record } = explanation;
  if (typeof record === 'string') return explanation;
  return { ...explanation, record: { ...record, mayBeMissing: true } satisfies ExpectedRecord };
}

/** A record of the last moments before a kill may be lost. */
function mayBeLost({ saw, endMs }: ClientOutcome, outage: Outage): boolean {
  if (outage.kind !== 'kill' || endMs > outage.exitMs) return false;
  const settledMs = saw === 'left' ? endMs + SOAK_LEAVE_DRAIN_MS : endMs;
  return settledMs >= outage.fromMs || livedMs(outage, settledMs) <= LOST_AT_MOST_MS;
}

function byOutage({ sentMs, endMs, plan }: ClientOutcome, outage: Outage): Explanation[] {
  const { kind, fromMs, exitMs, readyMs } = outage;
  if (endMs < fromMs || sentMs > readyMs) return [];
  const why = `gateway ${kind}`;
  const gone: Explanation[] = [
    { saw: 'refused', record: 'none', why },
    { saw: 'unanswered', record: 'any or none', why },
    { saw: 'left', record: 'any or none', why },
  ];
  const cut: Explanation[] = [{ saw: 'reset', record: 'any or none', why }];
  if (kind === 'kill') return sentMs <= exitMs ? [...gone, ...cut] : gone;
  const drained: Explanation = {
    saw: 'complete',
    status: 503,
    code: 'overloaded',
    record: plan.kind.endpoint === null ? 'none' : { finish: 'error', errorCode: 'overloaded' },
    why,
  };
  if (sentMs >= fromMs) return [...gone, drained];
  // What was in flight when the drain began may finish; what is still in flight at its end is cut, and that is on record.
  if (exitMs - fromMs < SOAK_DRAIN_TIMEOUT_MS || endMs < fromMs + SOAK_DRAIN_TIMEOUT_MS - NEAR_MS) return [];
  const record: ExpectedRecord = { finish: 'error' };
  return [
    { saw: 'interrupted', record, why },
    { saw: 'reset', record, why },
    { saw: 'complete', status: 503, code: 'overloaded', record, why },
  ];
}

/** What was under way through a target that was killed breaks off. */
function byTargetStop({ sentMs, endMs, plan }: ClientOutcome, { target, atMs, backMs }: TargetStop): Explanation[] {
  const why = `target ${target} killed`;
  const unreachable: ExpectedRecord = { finish: 'error', errorCode: 'upstream_error', target };
  // A form is streamed: it is not sent to another target, and connecting is repeated for a second only.
  const isUnreachable = plan.kind.fileBytes !== undefined && sentMs > atMs && sentMs < backMs;
  const refused: Explanation = { saw: 'complete', status: 502, code: 'upstream_error', record: unreachable, why };
  if (endMs < atMs || sentMs > atMs + NEAR_MS) return isUnreachable ? [refused] : [];
  const broken: ExpectedRecord = { finish: 'upstream_interrupted', errorCode: 'upstream_stream_interrupted', target };
  return [
    ...(plan.kind.form === 'sse' ? [{ saw: 'interrupted' as const, status: 200, record: broken, why }] : []),
    { saw: 'reset', status: 200, record: broken, why },
    // Bun.serve sends a head with the first byte of the body.
    { saw: 'unanswered', record: broken, why },
    refused,
    // It broke before the client left, who did not see it any more.
    { saw: 'left', record: broken, why },
    { saw: 'left', record: unreachable, why },
  ];
}

/** A connection that was kept and idle is closed with its process: a request may meet that (RFC 9112, 9.3.1). */
function byHandover(
  { sentMs, behind }: ClientOutcome,
  { atMs, doneMs }: { readonly atMs: number; readonly doneMs: number },
): Explanation[] {
  if (behind === null || sentMs < atMs || sentMs > doneMs + SOAK_DRAIN_TIMEOUT_MS) return [];
  return [{ saw: 'unanswered', record: 'none', why: 'workers replaced' }];
}

export const BY_NEIGHBOUR = 'the request before it on its connection to upstream';

/** An upstream that answers the next request on a connection with a reset. How often is bounded by how often that was planned. */
function byNeighbour(): Explanation[] {
  const record: ExpectedRecord = { finish: 'error', errorCode: 'upstream_error' };
  return [{ saw: 'complete', status: 502, code: 'upstream_error', record, why: BY_NEIGHBOUR }];
}

/** Bytes and tokens on record. */
function figuresProblem(
  outcome: ClientOutcome,
  record: UsageRecord | undefined,
  explanation: Explanation,
  world: World,
): string | null {
  if (!record || explanation.why !== undefined) return null;
  const { plan, saw, status, bodyBytes } = outcome;
  if (record.endpoint !== plan.kind.endpoint) return `the record is of ${record.endpoint}`;
  if (record.status !== status && status !== 0 && saw !== 'left') return `status ${record.status} is on record`;
  const isWhole = saw === 'complete' && status === 200;
  if ((isWhole || saw === 'interrupted') && record.bytesOut !== bodyBytes)
    return `${record.bytesOut} bytes are on record, ${bodyBytes} came`;
  if (isWhole && record.finish === 'complete' && plan.fault === 'none' && record.totalTokens !== plan.tokens)
    return `${record.totalTokens} tokens are on record, upstream reported ${plan.tokens}`;
  return leaverProblem(outcome, record, world);
}

/** A key that drains is charged for what its client did not wait for. */
function leaverProblem({ plan, endMs }: ClientOutcome, record: UsageRecord, world: World): string | null {
  const { behaviour, role, tokens } = plan;
  if (behaviour.does !== 'leave' || behaviour.at !== 'reading' || (role !== 'drains' && role !== 'tokens')) return null;
  const isDisturbed = [...world.outages.map(({ fromMs }) => fromMs), ...world.targetStops.map(({ atMs }) => atMs)].some(
    (atMs) => atMs > endMs - SOAK_LEAVE_DRAIN_MS && atMs < endMs + SOAK_LEAVE_DRAIN_MS,
  );
  if (isDisturbed || tokens === null || record.totalTokens === tokens) return null;
  return `${record.totalTokens} tokens are on record of a client that left, upstream reported ${tokens}`;
}
