/**
 * A run of the suite. For every round and every target: start a new process, verify its answers, measure each scenario, end
 * the process. The order of targets rotates, so that none is always first. Mock and load generator run throughout.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchTarget, RunningTarget } from '../targets/target.ts';
import type { Measurement } from './load.ts';
import { type LoadClient, type MockProcess, startLoad, startMockProcess } from './load-client.ts';
import type { MemoryPoint, Timeline } from './load-process.ts';
import { type Cores, chooseCores } from './machine.ts';
import type { Rounds } from './results.ts';
import { type BenchScenario, SCENARIOS } from './scenarios.ts';

export interface Plan {
  readonly targets: readonly BenchTarget[];
  readonly scenarios: readonly BenchScenario[];
  readonly rounds: number;
  /** Measured, per round, target and scenario. */
  readonly seconds: number;
  readonly warmUpS: number;
  /** Numbers of open streams for the memory measurement; empty for neither memory nor timeline. */
  readonly openStreams: readonly number[];
  /** Port of the mock; 0 for a free one. */
  readonly upstreamPort: number;
}

export interface Outcome {
  readonly cores: Cores;
  /** By scenario, in the plan's order of targets. */
  readonly scenarios: readonly { readonly scenario: BenchScenario; readonly rounds: readonly Rounds[] }[];
  readonly memory: readonly { readonly target: string; readonly points: readonly MemoryPoint[] }[];
  readonly timelines: readonly ({ readonly target: string } & Timeline)[];
}

/** Called before each step, with the share of work done. */
export type Progress = (text: string, share: number) => void;

export async function measure(plan: Plan, progress: Progress): Promise<Outcome> {
  const folder = mkdtempSync(join(tmpdir(), 'bve-bench-'));
  const cores = chooseCores();
  const mock = await startMockProcess(cores.load, folder, plan.upstreamPort);
  const load = startLoad(cores.load);
  try {
    return await new Run(plan, progress, cores, mock, load).all();
  } finally {
    await load.stop();
    await mock.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Cell {
  readonly measurements: Measurement[];
  notTimed: string | null;
  hashes: Record<string, string>;
}

class Run {
  readonly #cells = new Map<string, Cell>();
  readonly #steps: number;
  #step = 0;

  constructor(
    readonly plan: Plan,
    readonly progress: Progress,
    readonly cores: Cores,
    readonly mock: MockProcess,
    readonly load: LoadClient,
  ) {
    const { rounds, targets, scenarios, openStreams } = plan;
    this.#steps = targets.length * (rounds * scenarios.length + (openStreams.length > 0 ? 2 : 0));
  }

  async all(): Promise<Outcome> {
    const { plan } = this;
    const models = [...new Set([...plan.scenarios, ...SCENARIOS].flatMap((scenario) => scenario.models))];
    await this.load.run('learn', { upstream: this.mock.endpoint, models });
    for (let round = 0; round < plan.rounds; round++) {
      for (const target of rotated(plan.targets, round))
        await this.#withTarget(target, (at) => this.#round(target, at, round));
    }
    const extras = plan.openStreams.length > 0 ? plan.targets : [];
    const memory: { target: string; points: MemoryPoint[] }[] = [];
    const timelines: ({ target: string } & Timeline)[] = [];
    for (const target of extras) {
      await this.#withTarget(target, async (endpoint) => {
        this.#tell(`${target.name} open streams`);
        const job = { endpoint, counts: plan.openStreams };
        if (endpoint.pid !== null) memory.push({ target: target.name, points: await this.load.run('memory', job) });
        this.#tell(`${target.name} timeline`);
        timelines.push({ target: target.name, ...(await this.load.run('timeline', { endpoint })) });
      });
    }
    const scenarios = plan.scenarios.map((scenario) => ({
      scenario,
      rounds: plan.targets.map(({ name }) => ({ target: name, ...this.#cell(name, scenario) })),
    }));
    return { cores: this.cores, scenarios, memory, timelines };
  }

  async #round(target: BenchTarget, endpoint: RunningTarget, round: number): Promise<void> {
    const models = [...new Set(this.plan.scenarios.flatMap((scenario) => scenario.models))];
    const verdicts = new Map(
      (await this.load.run('verify', { endpoint, models })).map((verdict) => [verdict.model, verdict]),
    );
    for (const scenario of this.plan.scenarios) {
      this.#tell(`round ${round + 1} of ${this.plan.rounds}, ${target.name}, ${scenario.name}`);
      const cell = this.#cell(target.name, scenario);
      const own = scenario.models.map((model) => verdicts.get(model)!);
      for (const { model, hash } of own) cell.hashes[model] = hash;
      const wrong = own.find(({ difference }) => difference !== null);
      if (wrong) {
        cell.notTimed = `${wrong.model}: ${wrong.difference}`;
        continue;
      }
      const { models: asked, connections } = scenario;
      const { seconds, warmUpS } = this.plan;
      const job = { endpoint, models: asked, connections, seconds, warmUpS };
      cell.measurements.push(await this.load.run('load', job));
    }
  }

  async #withTarget(target: BenchTarget, use: (running: RunningTarget) => Promise<void>): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'bve-bench-'));
    const context = { upstreamPort: this.mock.port, folder, core: this.cores.target };
    try {
      const running = await target.start(context).catch((error: Error) => {
        throw new Error(`${target.name} does not start: ${error.message}`);
      });
      try {
        await use(running);
      } finally {
        await running.stop();
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  #cell(target: string, scenario: BenchScenario): Cell {
    const name = `${target} ${scenario.name}`;
    let cell = this.#cells.get(name);
    if (!cell) {
      cell = { measurements: [], notTimed: null, hashes: {} };
      this.#cells.set(name, cell);
    }
    return cell;
  }

  #tell(text: string): void {
    this.progress(text, this.#step++ / this.#steps);
  }
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const start = by % list.length;
  return [...list.slice(start), ...list.slice(0, start)];
}
