/** Judges a soak: makes up the ledger and lists what did not balance. */
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { JUDGED_FROM, JUDGED_MINUTES_MIN } from './disturbances.ts';
import { BY_NEIGHBOUR, type Entry, entryOf } from './ledger.ts';
import { limitProblems } from './limits-check.ts';
import type { SoakRun } from './soak.ts';
import { SettingTimeline } from './timeline.ts';
import { slopeOf, type Vitals } from './vitals.ts';

const MB = 1024 * 1024;
const GROWTH_MAX_MB_PER_MINUTE = 1;
/** Beyond what the process had under load when it was warm. */
const MEMORY_BLUR_MB = 16;

interface MemoryVerdict {
  /** Of the fit, seconds since the start of the load; they are of one process. */
  readonly fromS: number;
  readonly toS: number;
  readonly growthMbPerMinute: number;
  /** The mean, which the line passes through in the middle. */
  readonly fitMb: number;
  readonly warmMb: number;
  readonly endMb: number;
  /** False for a run that is too short to tell. */
  readonly isJudged: boolean;
}

interface Check {
  readonly name: string;
  /** What was looked at, in figures. */
  readonly figure: string;
  readonly problems: readonly string[];
  /** False: only told, the run cannot show it. */
  readonly isJudged?: boolean;
}

export interface SoakVerdict {
  readonly entries: readonly Entry[];
  readonly memory: MemoryVerdict;
  readonly checks: readonly Check[];
}

export function verdictOf(run: SoakRun): SoakVerdict {
  const byId = Map.groupBy(run.records, ({ requestId }) => requestId);
  const world = {
    keys: run.keys.all,
    outages: run.gateway.outages,
    targetStops: run.targetStops,
    handovers: run.options.setUp.reloadRestarts ? run.reloads : [],
  };
  const entries = run.outcomes.map((outcome) => entryOf(outcome, byId.get(outcome.requestId) ?? [], world));
  const memory = memoryOf(run);
  return { entries, memory, checks: checksOf(run, entries, memory, byId) };
}

function checksOf(
  run: SoakRun,
  entries: readonly Entry[],
  memory: MemoryVerdict,
  byId: ReadonlyMap<string, readonly UsageRecord[]>,
): Check[] {
  const { options, outcomes, records, gateway, atStart, atEnd } = run;
  const known = new Set(outcomes.map(({ requestId }) => requestId));
  const strangers = [...byId.keys()].filter((id) => !known.has(id));
  const victims = entries.filter(({ explanation }) => explanation?.why === BY_NEIGHBOUR);
  const resets = outcomes.filter(({ plan }) => plan.hitsAnother).length;
  return [
    {
      name: 'every request balances with its record',
      figure: `${outcomes.length} requests, ${records.length} records`,
      problems: [
        ...entries.filter(({ problem }) => problem !== null).map(textOfEntry),
        ...strangers.map((id) => `a record of a request that was never sent: ${id}`),
        ...(victims.length > resets
          ? victims.map((entry) =>
              textOfEntry({
                ...entry,
                problem: `one of ${victims.length} requests reset by upstream, which was planned ${resets} times`,
              }),
            )
          : []),
      ],
    },
    {
      name: 'days, months and models are the sums of the records',
      figure: '',
      problems: run.problems.filter(isOfTotals),
    },
    {
      name: 'limits hold, and refuse nobody before they are used up',
      figure: `${outcomes.filter(({ status }) => status === 429).length} answers of 429`,
      problems: limitsOf(run),
    },
    {
      name: 'changes of keys, reports, reloads, restarts and metrics at rest',
      figure: `${[...run.keys.changes.values()].reduce((sum, count) => sum + count, 0)} changes of keys, ${run.reports} reports, ${run.liveEvents.request} live records, ${run.reloads.length} reloads, ${gateway.outages.length} restarts, ${run.targetStops.length} target restarts`,
      problems: run.problems.filter((text) => !isOfTotals(text)),
    },
    {
      name: 'a reload is in effect when the gateway says so',
      figure: `${outcomes.filter(({ upstreamKey }) => upstreamKey !== null).length} requests told the key that upstream got`,
      problems: reloadProblems(run),
    },
    { name: 'the gateway reports no error', figure: '', problems: unexpectedTrouble(run) },
    {
      name: 'descriptors and sockets are back at the start level',
      figure: `${atStart.descriptors} → ${atEnd.descriptors} descriptors, ${atStart.sockets} → ${atEnd.sockets} sockets`,
      problems: [],
    },
    {
      name: `memory grows by less than ${GROWTH_MAX_MB_PER_MINUTE} MB a minute`,
      figure: `${memory.growthMbPerMinute.toFixed(2)} MB a minute from second ${Math.round(memory.fromS)} to ${Math.round(memory.toS)}, ${memory.warmMb.toFixed(0)} → ${memory.endMb.toFixed(0)} MB`,
      isJudged: memory.isJudged,
      problems: memoryProblems(memory, options.durationS),
    },
  ];
}

function isOfTotals(text: string): boolean {
  return /^(day|month|model) /.test(text);
}

function limitsOf(run: SoakRun): string[] {
  const { records, outcomes, gateway, options } = run;
  return [...run.keys.all.values()].flatMap((key) =>
    limitProblems({
      key,
      records: records.filter(({ keyId }) => keyId === key.id),
      outcomes: outcomes.filter(({ keyId }) => keyId === key.id),
      countersAreShared: options.setUp.countersAreShared,
      outages: gateway.outages,
    }).map((problem) => `${key.role}: ${problem}`),
  );
}

/** Upstream gets the key of the file as it was read last, and a bad file changes nothing. */
function reloadProblems({ reloads, outcomes }: SoakRun): string[] {
  const version = new SettingTimeline({ value: 0, fromMs: 0, toMs: 0 }, 0);
  for (const { atMs, doneMs, version: value } of reloads) version.add({ value, fromMs: atMs, toMs: doneMs });
  return outcomes
    .filter(
      ({ upstreamKey, sentMs, endMs }) => upstreamKey !== null && !version.valuesWithin(sentMs, endMs).has(upstreamKey),
    )
    .map(({ requestId, upstreamKey }) => `${requestId}: upstream got a key of version ${upstreamKey}`);
}

/** What was asked for: a bad configuration file, and 401 or 402 of upstream. */
const EXPECTED_TROUBLE = ['the configuration is not reloaded', 'upstream refuses the key of this target'];

function unexpectedTrouble({ gateway }: SoakRun): string[] {
  return gateway.trouble.filter((line) => !EXPECTED_TROUBLE.some((text) => line.includes(text)));
}

function memoryOf(run: SoakRun): MemoryVerdict {
  const { vitals, startedMs, options, gateway, atEnd } = run;
  const lifetimeMs = gateway.lifetimes.at(-1)!.startedMs;
  const isLong = options.durationS >= JUDGED_MINUTES_MIN * 60;
  const fromMs = isLong ? Math.max(lifetimeMs, startedMs + JUDGED_FROM * options.durationS * 1_000) : lifetimeMs;
  const toMs = startedMs + options.durationS * 1_000;
  const fitted = vitals.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  const growthMbPerMinute = slopeOf(fitted.map(({ atMs, rssBytes }) => [atMs / 60_000, rssBytes / MB] as const));
  const warm = fitted.slice(0, Math.max(1, Math.ceil(fitted.length / 10)));
  return {
    fromS: (fromMs - startedMs) / 1_000,
    toS: (toMs - startedMs) / 1_000,
    growthMbPerMinute,
    fitMb: meanMb(fitted),
    warmMb: meanMb(warm),
    endMb: atEnd.rssBytes / MB,
    isJudged: isLong,
  };
}

function meanMb(vitals: readonly Vitals[]): number {
  return vitals.reduce((sum, { rssBytes }) => sum + rssBytes, 0) / Math.max(1, vitals.length) / MB;
}

function memoryProblems({ isJudged, growthMbPerMinute, warmMb, endMb }: MemoryVerdict, durationS: number): string[] {
  if (!isJudged) return [];
  const problems: string[] = [];
  if (growthMbPerMinute >= GROWTH_MAX_MB_PER_MINUTE)
    problems.push(`memory grows by ${growthMbPerMinute.toFixed(2)} MB a minute`);
  const allowed = warmMb + MEMORY_BLUR_MB;
  if (endMb > allowed)
    problems.push(`memory is ${endMb.toFixed(0)} MB after ${durationS} s, it was ${warmMb.toFixed(0)} MB`);
  return problems;
}

/** One line that tells what happened, for whoever has to find out why. */
function textOfEntry({ outcome, records, problem }: Entry): string {
  const { requestId, plan, saw, status, errorCode, sentMs, endMs, headMs } = outcome;
  const { kind, fault, behaviour, role } = plan;
  const does = behaviour.does === 'leave' ? `leaves ${behaviour.at}` : behaviour.does;
  const seen = [saw, status || '', errorCode ?? ''].filter((part) => part !== '').join(' ');
  const on = records.map(
    (record) =>
      `${record.finish} ${record.status} ${record.errorCode ?? ''} via ${record.target ?? 'none'} (${record.attempts}) ${record.bytesOut} B ${record.totalTokens ?? 'no'} tokens ${record.durationMs} ms`,
  );
  const times = `${new Date(sentMs).toISOString().slice(11, 23)}${outcome.behind === null ? '' : ` behind ${outcome.behind}`} head ${headMs === null ? '–' : Math.round(headMs - sentMs)} end ${Math.round(endMs - sentMs)} ms`;
  return `${requestId}: ${problem} | ${kind.name}, fault ${fault}, client ${does}, key ${role} | saw ${seen} | recorded ${on.join(' and ') || 'nothing'} | ${times}`;
}
