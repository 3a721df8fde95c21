/**
 * `bun run bench:observe`: what it costs to watch the gateway. Interleaved rounds of the load generator in C of
 * `../shared/bench`, the gateway alone on core 0: watched by nobody; with metrics scraped each second and a live view open; with
 * a tenth of the requests traced. Then a scrape with 5,000 series, alone and under running streams.
 *
 *     bun run build && bun run bench:observe [--rounds 5] [--seconds 4] [--scrapes]
 *
 * --scrapes measures only these.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { numberFlag, parseFlags, runMain } from '../suite/flags.ts';
import { cpuUs, processTree } from '../suite/process-cost.ts';
import { type BenchLoad, buildLoad, CASES, type CaseName, type LoadFigures } from './load.ts';
import { fillSeries, scrape, startWatched, WATCHERS, type WatchedGateway } from './watched-gateway.ts';

const FLAGS = {
  rounds: { type: 'string' },
  seconds: { type: 'string' },
  scrapes: { type: 'boolean' },
  help: { type: 'boolean' },
} as const;
const HELP = 'bun run bench:observe [--rounds 5] [--seconds 4] [--scrapes]: what metrics, live view and traces cost\n';
const ROUNDS = 5;
const SECONDS = 4;
const WARM_UP_S = 1.5;
const SCRAPES = 20;
const SCRAPE_EVERY_MS = 250;

interface Row extends LoadFigures {
  readonly cpuUsPerChunk: number;
}

async function main(): Promise<number> {
  const flags = parseFlags(process.argv.slice(2), FLAGS);
  if (flags.values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const rounds = numberFlag(flags, 'rounds', ROUNDS, 1, 100);
  const seconds = numberFlag(flags, 'seconds', SECONDS, 1, 60);
  const folder = mkdtempSync(join(tmpdir(), 'bve-observe-'));
  // The gateway has core 0 to itself.
  Bun.spawnSync(['taskset', '-acp', '1', String(process.pid)]);
  try {
    const load = buildLoad(folder);
    const names: readonly CaseName[] = flags.values.scrapes ? [] : ['trickle', 'burst'];
    for (const name of names) {
      const rows = new Map<string, Row[]>(Object.keys(WATCHERS).map((watcher) => [watcher, []]));
      for (let round = 0; round < rounds; round++)
        for (const [watcher, found] of rows) found.push(await measure(name, watcher, load, folder, seconds));
      report(name, rows);
    }
    await measureScrapes(load, folder, seconds);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return 0;
}

async function measure(
  name: CaseName,
  watcher: string,
  load: BenchLoad,
  folder: string,
  seconds: number,
): Promise<Row> {
  const { chunks } = CASES[name];
  const mock = await load.startMock(name);
  const gateway = await startWatched(watcher, mock.port, folder);
  await load.run(name, gateway, WARM_UP_S);
  const pids = processTree(gateway.pid);
  const before = cpuUs(pids);
  const loaded = await load.run(name, gateway, seconds);
  const cpu = cpuUs(pids) - before;
  await gateway.stop();
  mock.kill();
  if (loaded.bad > 0) throw new Error(`${loaded.bad} bad streams (${name}, ${watcher})`);
  return { ...loaded, cpuUsPerChunk: cpu / loaded.ok / (chunks + 1) };
}

function report(name: string, rows: ReadonlyMap<string, readonly Row[]>): void {
  const base = median([...rows.values()][0]!.map(({ cpuUsPerChunk }) => cpuUsPerChunk));
  for (const [watcher, found] of rows) {
    const cpu = median(found.map(({ cpuUsPerChunk }) => cpuUsPerChunk));
    const of = (pick: (row: Row) => number) => median(found.map(pick)).toFixed(0);
    console.log(
      `${name} ${watcher}: ${cpu.toFixed(2)} µs of processor time a chunk (${((cpu / base - 1) * 100).toFixed(1)} %), ` +
        `chunk age p50 ${of(({ ageP50 }) => ageP50)} p99 ${of(({ ageP99 }) => ageP99)} µs, ${of(({ perS }) => perS)} streams/s`,
    );
  }
}

async function measureScrapes(load: BenchLoad, folder: string, seconds: number): Promise<void> {
  const mock = await load.startMock('trickle');
  const gateway = await startWatched('metrics and a live view', mock.port, folder);
  const series = await fillSeries(gateway);
  const alone: number[] = [];
  for (let i = 0; i < SCRAPES; i++) alone.push(await timed(gateway));
  console.log(
    `a scrape of ${series} series: median ${median(alone).toFixed(1)} ms, longest ${Math.max(...alone).toFixed(1)} ms`,
  );
  await load.run('trickle', gateway, WARM_UP_S);
  for (const isScraped of [false, true, false, true]) {
    const times: number[] = [];
    const timer = isScraped ? setInterval(async () => times.push(await timed(gateway)), SCRAPE_EVERY_MS) : undefined;
    const { ageP99, ageMax } = await load.run('trickle', gateway, seconds);
    clearInterval(timer);
    const scrapes = isScraped ? `${times.length} scrapes, median ${median(times).toFixed(1)} ms` : 'no scrape';
    console.log(
      `250 streams, ${scrapes}: chunk age p99 ${(ageP99 / 1000).toFixed(1)}, longest ${(ageMax / 1000).toFixed(1)} ms`,
    );
  }
  await gateway.stop();
  mock.kill();
}

async function timed(gateway: WatchedGateway): Promise<number> {
  const startMs = performance.now();
  await scrape(gateway);
  return performance.now() - startMs;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

await runMain('bench:observe', main);
