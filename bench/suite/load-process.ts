/**
 * The load generator, a process of its own so that it can be pinned to a core: reads one JSON line per job and writes one per
 * result, in order. It lives through all measurements, so that its own warm-up is not part of them. Runs under Bun and under
 * Node. Ends with its standard input.
 */
import { createInterface } from 'node:readline';
import { splitEvents } from '../../src/mock/split-events.ts';
import { type ExpectedAnswer, timeIn } from './expected-answer.ts';
import { type LoadJob, type Measurement, runLoad, type TargetEndpoint } from './load.ts';
import { OpenStreams } from './open-streams.ts';
import { memoryBytes, processTree } from './process-cost.ts';
import { readAnswer, readExpected } from './read-answer.ts';
import { originNs } from './upstream-clock.ts';
import { type Verification, verifyAnswer } from './verify.ts';

/** The jobs and their results. */
export interface Jobs {
  /** Reads the answer of each model directly from upstream and returns the hashes. Must be the first job. */
  readonly learn: { in: { upstream: TargetEndpoint; models: readonly string[] }; out: Record<string, string> };
  readonly verify: { in: { endpoint: TargetEndpoint; models: readonly string[] }; out: Verification[] };
  readonly load: { in: LoadJob; out: Measurement };
  /** Memory of the target in bytes for each number of open streams. */
  readonly memory: { in: { endpoint: TargetEndpoint; counts: readonly number[] }; out: MemoryPoint[] };
  readonly timeline: { in: { endpoint: TargetEndpoint }; out: Timeline };
}

export interface MemoryPoint {
  readonly streams: number;
  readonly bytes: number;
}

/** Milliseconds since upstream created the first event. */
export interface Timeline {
  readonly sentMs: readonly number[];
  readonly seenMs: readonly number[];
}

type Handlers = { readonly [name in keyof Jobs]: (job: Jobs[name]['in']) => Promise<Jobs[name]['out']> };

const expected = new Map<string, ExpectedAnswer>();

const HANDLERS: Handlers = {
  learn: async ({ upstream, models }) => {
    const read = await Promise.all(models.map(async (model) => [model, await readExpected(upstream, model)] as const));
    for (const [model, answer] of read) expected.set(model, answer);
    return Object.fromEntries(read.map(([model, { hash }]) => [model, hash]));
  },
  verify: ({ endpoint, models }) =>
    Promise.all(models.map((model) => verifyAnswer(endpoint, model, expected.get(model)!))),
  load: (job) => runLoad(job, expected),
  memory,
  timeline,
};

/** Time for a target to settle after new streams. */
const SETTLE_MS = 150;

async function memory({ endpoint, counts }: Jobs['memory']['in']): Promise<MemoryPoint[]> {
  const points: MemoryPoint[] = [];
  const open = new OpenStreams(endpoint);
  try {
    for (const count of counts) {
      const streams = await open.growTo(count);
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      const bytes = endpoint.pid === null ? 0 : memoryBytes(processTree(endpoint.pid), 'VmRSS');
      points.push({ streams, bytes });
      // A target that cannot hold this many cannot hold more.
      if (streams < count) break;
    }
  } finally {
    open.close();
  }
  return points;
}

async function timeline({ endpoint }: Jobs['timeline']['in']): Promise<Timeline> {
  // The first answer opens connections and is not used.
  await readAnswer(endpoint, 'sample');
  const { pieces } = await readAnswer(endpoint, 'sample');
  const times = pieces.flatMap(({ piece, atMs }) =>
    splitEvents(piece)
      .map(timeIn)
      .filter((sentNs) => sentNs >= 0)
      .map((sentNs) => ({ sentMs: (sentNs - originNs) / 1e6, seenMs: atMs })),
  );
  const startMs = times[0]?.sentMs ?? 0;
  return {
    sentMs: times.map(({ sentMs }) => sentMs - startMs),
    seenMs: times.map(({ seenMs }) => seenMs - startMs),
  };
}

async function answer<N extends keyof Jobs>(name: N, job: Jobs[N]['in']): Promise<string> {
  try {
    return JSON.stringify({ result: await HANDLERS[name](job) });
  } catch (error) {
    return JSON.stringify({ error: (error as Error).message });
  }
}

let last = Promise.resolve();
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { name, job } = JSON.parse(line) as { name: keyof Jobs; job: Jobs[keyof Jobs]['in'] };
  last = last.then(async () => {
    process.stdout.write(`${await answer(name, job)}\n`);
  });
});
lines.on('close', () => process.exit(0));
