/** Runs one soak: starts everything, loads and disturbs it, lets it come to rest, and reads what is on record. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomFrom } from '../../src/load/statistics.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { freePort } from '../suite/child.ts';
import { AdminClient } from './admin-client.ts';
import { ConfigFile } from './config-file.ts';
import { type Disturbance, planDisturbances } from './disturbances.ts';
import { Gate } from './gate.ts';
import { GatewayProcess } from './gateway-process.ts';
import { SoakKeys } from './keys.ts';
import { SOAK_DRAIN_TIMEOUT_MS, SOAK_LEAVE_DRAIN_MS } from './ledger.ts';
import { Operator } from './operator.ts';
import { type ClientOutcome, nowMs } from './outcome.ts';
import type { SetUp } from './set-ups.ts';
import { SoakLoad } from './soak-load.ts';
import { SoakTarget, type TargetStop } from './targets.ts';
import { totalsProblems } from './totals-check.ts';
import { type Vitals, vitalsOf } from './vitals.ts';

interface SoakOptions {
  readonly setUp: SetUp;
  readonly seed: number;
  readonly durationS: number;
  readonly ratePerS: number;
  /** For the databases and files of this run. */
  readonly folder: string;
  progress(text: string, share: number): void;
}

interface Reload {
  readonly atMs: number;
  readonly isBad: boolean;
  /** Of the keys of targets that are in effect from then on. */
  readonly version: number;
  /** When the gateway said so. */
  readonly doneMs: number;
}

/** All that was seen; report.ts judges it. */
export interface SoakRun {
  readonly options: SoakOptions;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly outcomes: readonly ClientOutcome[];
  readonly records: readonly UsageRecord[];
  readonly keys: SoakKeys;
  readonly gateway: GatewayProcess;
  readonly targetStops: readonly TargetStop[];
  readonly reloads: readonly Reload[];
  /** Once a second. */
  readonly vitals: readonly Vitals[];
  readonly openRequests: readonly (readonly [atMs: number, open: number])[];
  readonly atStart: Vitals;
  readonly atEnd: Vitals;
  /** What an operator asked for and was told meanwhile. */
  readonly reports: number;
  readonly liveEvents: Operator['seen'];
  /** Of the soak's own event loop, milliseconds. */
  readonly ownLagP99Ms: number;
  /** What went wrong besides the requests, in words. */
  readonly problems: readonly string[];
}

const ADMIN_KEY = 'soak-admin-key';
const METRICS_TOKEN = 'soak-metrics';
const SAMPLE_MS = 1_000;
/** Connections of clients end with the load; those to upstream, and what waits for their ends, within this. */
const RESTS_WITHIN_MS = 30_000;
/** SQLite opens a file of its own now and then, and a reload keeps the lines to its targets. */
const DESCRIPTORS_BLUR = 6;

const ENV = {
  HOST: '127.0.0.1',
  API_KEY_PEPPER: 'pepper-of-the-soak',
  ADMIN_API_KEY: ADMIN_KEY,
  METRICS_TOKEN,
  WARM_UP_REQUESTS: '200',
  // Of requests that failed there are lines enough.
  LOG_SAMPLE: '0',
  UPSTREAM_HEAD_TIMEOUT_MS: '5000',
  UPSTREAM_IDLE_TIMEOUT_MS: '4000',
  UPSTREAM_IDLE_CONNECTION_LIMIT_MS: '3000',
  CLIENT_STALL_TIMEOUT_MS: '5000',
  LEAVE_DRAIN_MS: String(SOAK_LEAVE_DRAIN_MS),
  DRAIN_TIMEOUT_MS: String(SOAK_DRAIN_TIMEOUT_MS),
};

export async function runSoak(options: SoakOptions): Promise<SoakRun> {
  const { setUp, seed, folder } = options;
  mkdirSync(folder, { recursive: true });
  const services = await setUp.start(folder);
  const targets: SoakTarget[] = [];
  try {
    for (const name of ['a', 'b', 'c']) targets.push(await SoakTarget.start(name, folder));
    const configFile = join(folder, 'bve.toml');
    const config = new ConfigFile(configFile, targets);
    const port = await freePort();
    const gateway = new GatewayProcess({ port, folder, configFile, env: { ...ENV, ...services.env } });
    await gateway.start();
    const admin = new AdminClient(gateway.url, ADMIN_KEY);
    const keys = new SoakKeys(admin, randomFrom(seed + 33), setUp.keyLagMs);
    await keys.createAll();
    const ports = [port, ...targets.map((target) => target.port)];
    const soak = new Soak(options, gateway, keys, config, targets, ports, new Operator(admin));
    const seen = await soak.run();
    const store = await openStore(services.databaseUrl);
    try {
      const records = await store.recentUsage({ limit: 10_000_000 });
      const problems = [...seen.problems, ...(await totalsProblems(store, records))];
      return { ...seen, options, records, keys, gateway, problems };
    } finally {
      await store.close();
    }
  } finally {
    for (const target of targets) await target.kill();
    await services.stop();
  }
}

class Soak {
  readonly #options: SoakOptions;
  readonly #gateway: GatewayProcess;
  readonly #keys: SoakKeys;
  readonly #config: ConfigFile;
  readonly #targets: readonly SoakTarget[];
  readonly #ports: readonly number[];
  readonly #operator: Operator;
  readonly #load: SoakLoad;
  readonly #random: () => number;
  /** Keys are changed while the gateway is there to be asked. */
  readonly #gate = new Gate();
  readonly #problems: string[] = [];
  readonly #targetStops: TargetStop[] = [];
  readonly #reloads: Reload[] = [];
  readonly #vitals: Vitals[] = [];
  readonly #openRequests: (readonly [number, number])[] = [];
  #isOver = false;

  constructor(
    options: SoakOptions,
    gateway: GatewayProcess,
    keys: SoakKeys,
    config: ConfigFile,
    targets: readonly SoakTarget[],
    ports: readonly number[],
    operator: Operator,
  ) {
    this.#options = options;
    this.#gateway = gateway;
    this.#keys = keys;
    this.#config = config;
    this.#targets = targets;
    this.#ports = ports;
    this.#operator = operator;
    this.#random = randomFrom(options.seed + 55);
    const { seed, ratePerS, durationS } = options;
    this.#load = new SoakLoad({ url: gateway.url, seed, ratePerS, durationS, keys });
  }

  async run() {
    await Bun.sleep(1_000);
    const atStart = this.#sample();
    const startedMs = nowMs();
    const sampling = setInterval(() => this.#look(startedMs), SAMPLE_MS);
    const others = Promise.all([this.#disturb(startedMs), this.#changeKeys(), this.#operate()]);
    await this.#load.run();
    this.#isOver = true;
    this.#operator.leave();
    await others;
    clearInterval(sampling);
    const endedMs = nowMs();
    const atEnd = await this.#comeToRest(atStart);
    await this.#checkMetrics();
    await this.#gateway.stop();
    return {
      startedMs,
      endedMs,
      outcomes: this.#load.outcomes,
      targetStops: this.#targetStops,
      reloads: this.#reloads,
      vitals: this.#vitals,
      openRequests: this.#openRequests,
      atStart,
      atEnd,
      ownLagP99Ms: this.#load.ownLoad.lagUs.distribution().p99 / 1_000,
      reports: this.#operator.reports,
      liveEvents: this.#operator.seen,
      problems: this.#problems,
    };
  }

  #sample(): Vitals {
    return vitalsOf(this.#gateway.pid, this.#ports);
  }

  #look(startedMs: number): void {
    this.#vitals.push(this.#sample());
    this.#openRequests.push([nowMs(), this.#load.openRequests]);
    const { setUp, durationS, progress } = this.#options;
    const { outcomes, openRequests } = this.#load;
    const share = Math.min(1, (nowMs() - startedMs) / 1_000 / durationS);
    progress(`soak on ${setUp.name}, under load, ${outcomes.length} requests, ${openRequests} open`, share);
  }

  async #disturb(startedMs: number): Promise<void> {
    const { seed, durationS, setUp } = this.#options;
    for (const each of planDisturbances({ seed, durationS, reloadRestarts: setUp.reloadRestarts })) {
      await Bun.sleep(Math.max(0, startedMs + each.atS * 1_000 - nowMs()));
      if (this.#isOver) return;
      await this.#do(each).catch((error: Error) => this.#problems.push(`${each.what}: ${error.message}`));
    }
  }

  async #do(disturbance: Disturbance): Promise<void> {
    switch (disturbance.what) {
      case 'target': {
        const target = this.#targets.find(({ name }) => name === disturbance.target)!;
        this.#targetStops.push(await target.restart(disturbance.awayMs));
        return;
      }
      case 'stop':
        return this.#gate.exclusive(() => this.#gateway.restart());
      case 'kill':
        return this.#gate.exclusive(() => this.#gateway.killAndStart());
      default:
        return this.#gate.exclusive(() => this.#reload(disturbance.what === 'bad reload'));
    }
  }

  async #reload(isBad: boolean): Promise<void> {
    if (isBad) this.#config.spoil();
    else this.#config.change();
    const atMs = nowMs();
    const said = await this.#gateway.reload();
    this.#reloads.push({ atMs, isBad, version: this.#config.version, doneMs: nowMs() });
    if (isBad) this.#config.restore();
    if (said !== (isBad ? 'refused' : 'reloaded')) this.#problems.push(`SIGHUP: the gateway says ${said}`);
  }

  async #changeKeys(): Promise<void> {
    while (!this.#isOver) {
      await Bun.sleep(200 + this.#random() * 600);
      await this.#gate
        .exclusive(() => this.#keys.change())
        .catch((error: Error) => this.#problems.push(`changing a key: ${error.message}`));
    }
  }

  /** Somebody watches, and looks at reports while they change. */
  async #operate(): Promise<void> {
    const watching = this.#operator.watch();
    while (!this.#isOver) {
      await Bun.sleep(1_000);
      await this.#gate
        .exclusive(() => this.#operator.look())
        .catch((error: Error) => this.#problems.push(`a report: ${error.message}`));
    }
    await watching;
    if (this.#operator.seen.request === 0) this.#problems.push('the live feed told of no request');
  }

  /** Waits until the gateway holds what it held at the start. */
  async #comeToRest(atStart: Vitals): Promise<Vitals> {
    const untilMs = nowMs() + RESTS_WITHIN_MS;
    for (;;) {
      await Bun.sleep(500);
      const vitals = this.#sample();
      const rests = vitals.descriptors <= atStart.descriptors + DESCRIPTORS_BLUR && vitals.sockets <= atStart.sockets;
      if (rests) return vitals;
      if (nowMs() < untilMs) continue;
      this.#problems.push(
        `at rest the gateway holds ${vitals.descriptors} descriptors and ${vitals.sockets} sockets, at the start ${atStart.descriptors} and ${atStart.sockets}`,
      );
      return vitals;
    }
  }

  /** Every permit was given back, and nothing was dropped. */
  async #checkMetrics(): Promise<void> {
    const answer = await fetch(`${this.#gateway.url}/metrics`, {
      headers: { authorization: `Bearer ${METRICS_TOKEN}` },
    });
    const text = await answer.text();
    const idle =
      /^(bve_requests_in_flight|bve_streams_open|bve_target_in_flight|bve_usage_queue_rows|bve_usage_dropped_total)(?:\{[^}]*\})? (\S+)$/gm;
    const found = [...text.matchAll(idle)];
    if (!found.some(([, name]) => name === 'bve_requests_in_flight'))
      this.#problems.push('at rest: there are no metrics');
    for (const [line, , value] of found) if (Number(value) !== 0) this.#problems.push(`at rest: ${line}`);
  }
}
