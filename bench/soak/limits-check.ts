/**
 * Whether the limits of keys held: never more admitted than a limit allows, and nobody refused by one that was not used up.
 * Times are those of the records; where a limit changed meanwhile, any value it had then will do.
 */
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import type { Outage } from './gateway-process.ts';
import type { LimitField, SoakKey } from './keys.ts';
import type { ClientOutcome } from './outcome.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Records have whole milliseconds, and a permit is given back a little before its record is made. */
const BLUR_MS = 60;

interface LimitCheck {
  readonly key: SoakKey;
  readonly records: readonly UsageRecord[];
  readonly outcomes: readonly ClientOutcome[];
  /** Counters of one process end with it; shared ones go on. */
  readonly countersAreShared: boolean;
  readonly outages: readonly Outage[];
}

/** @returns what did not hold, in words */
export function limitProblems(check: LimitCheck): string[] {
  switch (check.key.role) {
    case 'minute':
      return minuteProblems(check);
    case 'day':
      return dayProblems(check);
    case 'concurrent':
      return concurrentProblems(check);
    default:
      return [];
  }
}

interface Window {
  readonly startMs: number;
  readonly admitted: number[];
}

function minuteProblems(check: LimitCheck): string[] {
  const { key, outages } = check;
  const problems: string[] = [];
  const windows: Window[] = [];
  const resets = check.countersAreShared ? [] : outages.map(({ readyMs }) => readyMs);
  for (const atMs of admittedTimes(check)) {
    const window = windows.at(-1);
    const isNew =
      !window || atMs - window.startMs >= MINUTE_MS || resets.some((at) => at > window.startMs && at <= atMs);
    if (isNew) windows.push({ startMs: atMs, admitted: [atMs] });
    else window.admitted.push(atMs);
  }
  for (const { startMs, admitted } of windows) {
    const most = Math.max(...limitsWithin(key, 'rpm_limit', startMs, admitted.at(-1)!));
    if (admitted.length > most)
      problems.push(`${admitted.length} requests were admitted in a minute with a limit of ${most}`);
  }
  for (const { sentMs, endMs } of refusals(check, 'requests per minute')) {
    const window = windows.findLast(({ startMs }) => startMs <= endMs + BLUR_MS);
    // What was admitted before a kill and lost its record still counts where counters are shared.
    if (!window || outages.some(({ fromMs }) => fromMs > window.startMs && fromMs <= endMs)) continue;
    if (sentMs - window.startMs > MINUTE_MS - BLUR_MS) continue;
    const used = window.admitted.filter((atMs) => atMs <= endMs + BLUR_MS).length;
    const least = Math.min(...limitsWithin(key, 'rpm_limit', window.startMs, endMs));
    if (used < least) problems.push(`refused by requests per minute when ${used} of ${least} were used`);
  }
  return problems;
}

function dayProblems(check: LimitCheck): string[] {
  const limit = check.key.limits.get('rpd_limit')!.last!;
  const problems: string[] = [];
  const days = Map.groupBy(admittedTimes(check), (atMs) => Math.floor(atMs / DAY_MS));
  for (const [day, admitted] of days) {
    if (admitted.length > limit)
      problems.push(`${admitted.length} requests were admitted on day ${day} with a limit of ${limit}`);
  }
  // In flight when the gateway was killed: counted then, and forgotten with it.
  const lost = check.outcomes.filter(({ sentMs, endMs }) =>
    check.outages.some((at) => sentMs < at.exitMs && endMs >= at.fromMs - BLUR_MS * 2),
  );
  for (const { endMs } of refusals(check, 'requests per day')) {
    const used = (days.get(Math.floor(endMs / DAY_MS)) ?? []).filter((atMs) => atMs <= endMs + BLUR_MS).length;
    if (used + lost.length < limit) problems.push(`refused by requests per day when ${used} of ${limit} were used`);
  }
  return problems;
}

function concurrentProblems(check: LimitCheck): string[] {
  const { key, records, outcomes } = check;
  const problems: string[] = [];
  const held = records
    .filter(({ admittedAt }) => admittedAt !== null)
    .map(({ admittedAt, startedAt, durationMs }) => ({ fromMs: admittedAt!, toMs: startedAt + durationMs }));
  for (const { fromMs } of held) {
    const atOnce = held.filter((other) => other.fromMs <= fromMs && other.toMs > fromMs + 2).length;
    const most = Math.max(...limitsWithin(key, 'max_concurrent', fromMs - 50, fromMs + 50));
    if (atOnce > most) problems.push(`${atOnce} requests at once with a limit of ${most}`);
  }
  for (const { sentMs, endMs } of refusals(check, 'concurrent requests')) {
    // Also one whose client has left may still be read on.
    const atOnce =
      held.filter((other) => other.fromMs <= endMs + BLUR_MS && other.toMs >= sentMs - BLUR_MS).length +
      outcomes.filter((other) => check.outages.some((at) => other.sentMs < at.fromMs && other.endMs > at.fromMs))
        .length;
    const least = Math.min(...limitsWithin(key, 'max_concurrent', sentMs, endMs));
    if (atOnce < least) problems.push(`refused by concurrent requests when ${atOnce} of ${least} were used`);
  }
  return problems;
}

function admittedTimes({ records }: LimitCheck): number[] {
  return records.flatMap(({ admittedAt }) => admittedAt ?? []).sort((a, b) => a - b);
}

function refusals({ outcomes }: LimitCheck, limit: string): readonly ClientOutcome[] {
  return outcomes.filter(({ status, errorMessage }) => status === 429 && errorMessage?.endsWith(limit) === true);
}

function limitsWithin(key: SoakKey, field: LimitField, fromMs: number, toMs: number): number[] {
  return [...key.limits.get(field)!.valuesWithin(fromMs, toMs)].map((limit) => limit ?? Number.POSITIVE_INFINITY);
}
