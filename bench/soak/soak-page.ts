/** The report of a soak as one HTML page: what was checked, what happened when, and how it went. */
import { escapeText } from '../../src/load/axes.ts';
import { page, type Section, table } from '../../src/load/page.ts';
import { cdfPlot, linePlot, timelinePlot } from '../../src/load/plot.ts';
import { distribution } from '../../src/load/statistics.ts';
import { VERSION } from '../../src/version.ts';
import { describeMachine } from '../suite/machine.ts';
import type { Saw } from './explanation.ts';
import type { Entry } from './ledger.ts';
import type { ClientOutcome } from './outcome.ts';
import type { KeyRole } from './planned-request.ts';
import type { SoakRun } from './soak.ts';
import type { SoakVerdict } from './verdict.ts';
import type { Vitals } from './vitals.ts';

const MB = 1024 * 1024;
const PROBLEMS_SHOWN = 20;

export interface Judged {
  readonly run: SoakRun;
  readonly verdict: SoakVerdict;
}

export function soakPage(all: readonly Judged[]): string {
  const balanced = all.every(({ verdict }) => verdict.checks.every(({ problems }) => problems.length === 0));
  const title = `Soak of bve ${VERSION}: ${balanced ? 'everything balances' : 'it does not balance'}`;
  return page(title, [{ heading: '', html: introduction(all) }, ...all.flatMap(sectionsOf)]);
}

function introduction(all: readonly Judged[]): string {
  const { cpu, cores, memoryGb, kernel, bun } = describeMachine();
  const [{ options }] = [all[0]!.run];
  const facts = [
    ['when', new Date(all[0]!.run.startedMs).toISOString().slice(0, 16).replace('T', ' ')],
    ['machine', `${cpu}, ${cores} cores, ${memoryGb} GB, ${kernel}, Bun ${bun}`],
    [
      'load',
      `${options.ratePerS} requests a second for ${Math.round(options.durationS / 6) / 10} minutes in each set-up, mock targets and clients on the same machine`,
    ],
    ['again', `bun run soak --minutes ${options.durationS / 60} --seed ${options.seed} --rate ${options.ratePerS}`],
  ];
  const list = facts.map(([name, text]) => `<dt>${name}</dt><dd>${escapeText(text!)}</dd>`).join('');
  return `<p>Streams, small answers, uploads and downloads on all families of endpoints, with every fault of the mock upstream,
slow and leaving clients, changes of keys, targets that are killed, reloads, graceful restarts and kill -9. In the end each
request that a client sent is held against the usage record it left.</p><dl class="facts">${list}</dl>`;
}

function sectionsOf({ run, verdict }: Judged): Section[] {
  const { name, about } = run.options.setUp;
  return [
    { heading: `${name}: ${about}`, html: checksTable(verdict) },
    {
      heading: `${name}: memory`,
      html: figure(memoryPlot(run, verdict), memoryCaption(verdict, run.gateway.outages.length)),
    },
    { heading: `${name}: what happened when`, html: figure(happenings(run)) },
    { heading: `${name}: requests`, html: figure(outcomesPlot(run)) + figure(heldPlot(run)) },
    { heading: `${name}: times`, html: figure(timesPlot(run), timesCaption(run)) },
    { heading: `${name}: faults and what clients saw`, html: faultTable(verdict.entries) },
    { heading: `${name}: clients and keys`, html: clientTable(verdict.entries) + roleTable(verdict.entries) },
    { heading: `${name}: changes of keys`, html: table(['change', 'times'], changeRows(run)) },
  ];
}

function checksTable({ checks }: SoakVerdict): string {
  const rows = checks.map(({ name, figure: text, problems, isJudged }) => [
    name,
    text,
    isJudged === false
      ? 'too short a run'
      : problems.length === 0
        ? { text: 'yes', best: true }
        : { text: `${problems.length} found`, bad: true },
  ]);
  const findings = checks.flatMap(({ problems }) => problems.slice(0, PROBLEMS_SHOWN));
  const list = findings.map((text) => `<li>${escapeText(text)}</li>`).join('');
  return table(['', 'looked at', 'holds'], rows) + (list === '' ? '' : `<ul>${list}</ul>`);
}

function memoryPlot({ vitals, startedMs, gateway }: SoakRun, { memory }: SoakVerdict): string {
  const lastMs = gateway.lifetimes.at(-1)!.startedMs;
  const points = (own: readonly Vitals[]) =>
    own
      .filter(({ rssBytes }) => rssBytes > 0)
      .map(({ atMs, rssBytes }) => [secondsOf(atMs, startedMs), rssBytes / MB] as const);
  const series = [
    { name: 'before', points: points(vitals.filter(({ atMs }) => atMs < lastMs)), colour: 7 },
    { name: 'last process', points: points(vitals.filter(({ atMs }) => atMs >= lastMs)), colour: 0 },
  ];
  const middle = memory.fitMb;
  const fit = ([memory.fromS, memory.toS] as const).map(
    (atS) => [atS, middle + ((atS - (memory.fromS + memory.toS) / 2) / 60) * memory.growthMbPerMinute] as const,
  );
  return linePlot([...series, { name: 'fit', points: fit, colour: 1 }], {
    title: 'Resident memory of the gateway',
    unit: 'MB',
    xTitle: 'seconds',
  });
}

function memoryCaption({ memory }: SoakVerdict, restarts: number): string {
  return `Straight line through the samples from second ${Math.round(memory.fromS)} on, all of one lifetime: ${memory.growthMbPerMinute.toFixed(2)} MB a minute${memory.isJudged ? '' : ' (the run is too short to judge it)'}. Before it the gateway was stopped and killed ${restarts} times.`;
}

function happenings({ gateway, targetStops, reloads, startedMs }: SoakRun): string {
  const at = (times: readonly number[]) => times.map((atMs) => secondsOf(atMs, startedMs));
  return timelinePlot(
    [
      { name: 'kill -9', times: at(gateway.outages.filter(({ kind }) => kind === 'kill').map(({ fromMs }) => fromMs)) },
      { name: 'SIGTERM', times: at(gateway.outages.filter(({ kind }) => kind === 'stop').map(({ fromMs }) => fromMs)) },
      { name: 'SIGHUP', times: at(reloads.filter(({ isBad }) => !isBad).map(({ atMs }) => atMs)) },
      { name: 'SIGHUP, bad file', times: at(reloads.filter(({ isBad }) => isBad).map(({ atMs }) => atMs)) },
      {
        name: 'target a killed',
        times: at(targetStops.filter(({ target }) => target === 'a').map(({ atMs }) => atMs)),
      },
      {
        name: 'target b killed',
        times: at(targetStops.filter(({ target }) => target === 'b').map(({ atMs }) => atMs)),
      },
    ],
    { title: 'Signals and failing targets', unit: 'seconds' },
  );
}

function outcomesPlot({ outcomes, startedMs, options }: SoakRun): string {
  const stepS = Math.max(1, Math.round(options.durationS / 120));
  const kinds: readonly (readonly [string, (outcome: ClientOutcome) => boolean])[] = [
    ['whole', ({ saw, status }) => saw === 'complete' && status < 400],
    ['errors', ({ saw, status }) => saw === 'complete' && status >= 400],
    ['broken off', ({ saw }) => ['interrupted', 'reset', 'unanswered'].includes(saw)],
    ['no connection', ({ saw }) => saw === 'refused'],
    ['left', ({ saw }) => saw === 'left'],
  ];
  const series = kinds.map(([name, fits]) => {
    const counts = new Array<number>(Math.ceil(options.durationS / stepS)).fill(0);
    for (const outcome of outcomes) {
      const step = Math.floor(secondsOf(outcome.endMs, startedMs) / stepS);
      if (step >= 0 && step < counts.length && fits(outcome)) counts[step]!++;
    }
    return { name, points: counts.map((count, i) => [i * stepS, count / stepS] as const) };
  });
  return linePlot(series, { title: 'How requests ended', unit: '/s', xTitle: 'seconds' });
}

function heldPlot({ vitals, openRequests, startedMs }: SoakRun): string {
  return linePlot(
    [
      {
        name: 'descriptors',
        points: vitals.map(({ atMs, descriptors }) => [secondsOf(atMs, startedMs), descriptors] as const),
      },
      { name: 'sockets', points: vitals.map(({ atMs, sockets }) => [secondsOf(atMs, startedMs), sockets] as const) },
      { name: 'requests', points: openRequests.map(([atMs, open]) => [secondsOf(atMs, startedMs), open] as const) },
    ],
    {
      title: 'Open descriptors of the gateway, sockets of both sides, requests in flight',
      unit: '',
      xTitle: 'seconds',
    },
  );
}

function timesPlot({ outcomes }: SoakRun): string {
  const heads = outcomes
    .filter(
      ({ plan, saw, headMs }) =>
        plan.fault === 'none' && saw === 'complete' && plan.behaviour.does === 'read' && headMs !== null,
    )
    .map(({ headMs, sentMs }) => headMs! - sentMs);
  return cdfPlot([{ name: 'request → head', values: heads }], {
    title: 'Until the head of a sound answer came',
    unit: 'ms',
    logX: true,
  });
}

function timesCaption({ records, keys, ownLagP99Ms }: SoakRun): string {
  // Others have the rest of an answer read for its usage.
  const drains = ['drains', 'tokens'];
  const times = records.flatMap(({ cancelMs, keyId }) =>
    cancelMs === null || drains.includes(keys.all.get(keyId)?.role ?? '') ? [] : cancelMs,
  );
  const { count, p50, p99, max } = distribution(times);
  return `Upstream was cancelled for ${count} clients that left: p50 ${p50} ms, p99 ${p99} ms, at most ${max} ms. The event loop of clients and checks was late by ${ownLagP99Ms.toFixed(1)} ms at p99.`;
}

const SAWS: readonly (readonly [Saw, string])[] = [
  ['complete', 'whole'],
  ['interrupted', 'error event'],
  ['reset', 'reset'],
  ['unanswered', 'no head'],
  ['refused', 'no connection'],
  ['left', 'client left'],
];

function faultTable(entries: readonly Entry[]): string {
  return groupTable('upstream', entries, ({ outcome }) => outcome.plan.fault);
}

function clientTable(entries: readonly Entry[]): string {
  return groupTable('client', entries, ({ outcome }) => {
    const { behaviour } = outcome.plan;
    return behaviour.does === 'leave' ? LEAVES[behaviour.at] : DOES[behaviour.does];
  });
}

const DOES = { read: 'reads', slow: 'reads slowly', stop: 'stops reading' } as const;
const LEAVES = {
  sending: 'leaves inside its request',
  waiting: 'leaves before the head',
  reading: 'leaves inside the answer',
  end: 'leaves with the last event',
} as const;

function roleTable(entries: readonly Entry[]): string {
  return groupTable('key', entries, ({ outcome }) => ROLES[outcome.plan.role]);
}

const ROLES: Readonly<Record<KeyRole, string>> = {
  plain: 'without limits',
  drains: 'on_leave: drain',
  tokens: 'with a token limit',
  narrow: 'one model, two endpoints',
  minute: 'rpm_limit',
  day: 'rpd_limit',
  concurrent: 'max_concurrent',
  churn: 'changed all the time',
  nobody: 'none, or none of ours',
};

function groupTable(what: string, entries: readonly Entry[], groupOf: (entry: Entry) => string): string {
  const groups = [...Map.groupBy(entries, groupOf)].sort(([a], [b]) => (a < b ? -1 : 1));
  const rows = groups.map(([name, own]) => {
    const statuses = [...new Set(own.map(({ outcome }) => outcome.status).filter((status) => status > 0))].sort();
    const failed = own.filter(({ problem }) => problem !== null).length;
    return [
      name,
      String(own.length),
      ...SAWS.map(([saw]) => String(own.filter(({ outcome }) => outcome.saw === saw).length || '')),
      statuses.join(' '),
      failed === 0 ? { text: 'all', best: true } : { text: `${failed} do not`, bad: true },
    ];
  });
  return table([what, 'requests', ...SAWS.map(([, name]) => name), 'statuses', 'balance'], rows);
}

function changeRows({ keys }: SoakRun): string[][] {
  return [...keys.changes].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, count]) => [name, String(count)]);
}

function figure(svg: string, caption = ''): string {
  return `<figure>${svg}${caption === '' ? '' : `<figcaption>${escapeText(caption)}</figcaption>`}</figure>`;
}

function secondsOf(atMs: number, startedMs: number): number {
  return (atMs - startedMs) / 1_000;
}
