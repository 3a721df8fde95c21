/**
 * One measurement: autocannon against one target in one scenario, observed client by client. Runs under Bun and under Node. The
 * costs of the target are read when the window opens and when it closes.
 */
import autocannon, { type Request } from 'autocannon';
import { type Distribution, evenQuantiles } from '../../src/load/statistics.ts';
import { Observations, watchClient } from './client-watch.ts';
import type { ExpectedAnswer } from './expected-answer.ts';
import { cpuUs, memoryBytes, processTree, resetPeak } from './process-cost.ts';
import { requestBody } from './scenarios.ts';
import type { Faults } from './stream-checker.ts';

/** How to call a target. */
export interface TargetEndpoint {
  /** http://127.0.0.1:PORT/v1 */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The process whose costs count; null when there is none. */
  readonly pid: number | null;
}

export interface LoadJob {
  readonly endpoint: TargetEndpoint;
  readonly models: readonly string[];
  readonly connections: number;
  readonly warmUpS: number;
  /** How long to measure, */
  readonly seconds: number;
  /** or the number of answers to stop after; then the whole run counts. */
  readonly amount?: number;
}

export interface Measurement {
  readonly ttfbMs: Distribution;
  readonly gapMs: Distribution;
  /** From the creation of an event to its arrival at the client; empty when events have no times. */
  readonly delayMs: Distribution;
  readonly jitterMs: number | null;
  readonly streamsPerS: number;
  readonly eventsPerS: number;
  readonly events: number;
  readonly bytes: number;
  /** Null for a target without a process of its own. */
  readonly cpuUsPerEvent: number | null;
  readonly cpuUsPerStream: number | null;
  /** Share of one core that the target used, 0 to 1 (above 1 for several threads). */
  readonly cpuShare: number | null;
  readonly memoryPeakBytes: number | null;
  readonly faults: Faults;
  /** autocannon's own counts, warm-up included. */
  readonly autocannon: { readonly answers: number; readonly errors: number };
  /** Answers that the suite saw end, warm-up included. */
  readonly answers: number;
  /** Quantiles of the time to first byte, milliseconds, for plots. */
  readonly ttfbShape: readonly number[];
}

const ANSWER_TIMEOUT_S = 60;
const SAMPLE_MS = 20;
const SHAPE_POINTS = 400;

/** @param expected the answer of each model */
export async function runLoad(job: LoadJob, expected: ReadonlyMap<string, ExpectedAnswer>): Promise<Measurement> {
  const answers = job.models.map((model) => {
    const answer = expected.get(model);
    if (!answer) throw new Error(`no reference for ${model}`);
    return answer;
  });
  const seen = new Observations();
  const window = new CostWindow(job.endpoint.pid, seen);
  const { origin, pathname } = new URL(job.endpoint.url);
  if (job.amount !== undefined) window.begin();
  const run = autocannon({
    url: origin,
    connections: job.connections,
    pipelining: 1,
    timeout: ANSWER_TIMEOUT_S,
    sampleInt: SAMPLE_MS,
    requests: job.models.map((model) => requestTo(job.endpoint, pathname, model)),
    setupClient: (client) => watchClient(client, answers, seen),
    ...(job.amount === undefined ? { duration: 3600 } : { amount: job.amount }),
  });
  if (job.amount === undefined) {
    await sleep(job.warmUpS * 1000);
    window.begin();
    await sleep(job.seconds * 1000);
    window.end();
    run.stop();
  }
  const result = await run;
  if (job.amount !== undefined) window.end();
  return {
    ttfbMs: seen.ttfbMs.distribution(),
    gapMs: seen.gapMs.distribution(),
    delayMs: seen.delayMs.distribution(),
    jitterMs: seen.jitterMs,
    ...window.rates(),
    events: seen.events,
    bytes: seen.bytes,
    faults: seen.faults,
    autocannon: { answers: result['2xx'] + result.non2xx, errors: result.errors + result.timeouts },
    answers: seen.answers,
    ttfbShape: evenQuantiles(seen.ttfbMs.values().toSorted(), SHAPE_POINTS),
  };
}

export function requestTo(endpoint: TargetEndpoint, basePath: string, model: string): Request {
  return {
    method: 'POST',
    path: `${basePath.replace(/\/$/, '')}/chat/completions`,
    headers: { 'content-type': 'application/json', ...endpoint.headers },
    body: requestBody(model),
  };
}

class CostWindow {
  readonly #pid: number | null;
  readonly #seen: Observations;
  #pids: number[] = [];
  #startMs = 0;
  #elapsedMs = 0;
  #startCpuUs = 0;
  #cpuUs = 0;
  #peakBytes = 0;

  constructor(pid: number | null, seen: Observations) {
    this.#pid = pid;
    this.#seen = seen;
  }

  begin(): void {
    this.#pids = this.#pid === null ? [] : processTree(this.#pid);
    resetPeak(this.#pids);
    this.#startCpuUs = cpuUs(this.#pids);
    this.#startMs = performance.now();
    this.#seen.open = true;
  }

  end(): void {
    this.#seen.open = false;
    this.#elapsedMs = performance.now() - this.#startMs;
    this.#cpuUs = cpuUs(this.#pids) - this.#startCpuUs;
    this.#peakBytes = memoryBytes(this.#pids, 'VmHWM');
  }

  rates() {
    const { events, streams } = this.#seen;
    const elapsedS = this.#elapsedMs / 1000;
    const known = this.#pids.length > 0;
    return {
      streamsPerS: streams / elapsedS,
      eventsPerS: events / elapsedS,
      cpuUsPerEvent: known && events > 0 ? this.#cpuUs / events : null,
      cpuUsPerStream: known && streams > 0 ? this.#cpuUs / streams : null,
      cpuShare: known ? this.#cpuUs / 1000 / this.#elapsedMs : null,
      memoryPeakBytes: known ? this.#peakBytes : null,
    };
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
