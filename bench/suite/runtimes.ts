/**
 * `bun run bench:runtimes`: checks that autocannon measures the same under Bun as under Node. With the same fixed number of
 * answers, counts must be equal and medians of the time to first byte similar. Exit code 1 when they are not.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runMain } from './flags.ts';
import type { Measurement } from './load.ts';
import { startLoad, startMockProcess } from './load-client.ts';
import { chooseCores } from './machine.ts';
import { faultCount } from './stream-checker.ts';

interface RuntimeCheck {
  readonly bun: Measurement;
  readonly node: Measurement;
  /** Counts that differ; empty when they agree. */
  readonly differences: readonly string[];
  /** Times that differ by more than a busy machine explains, or null. */
  readonly slower: string | null;
}

/** Loose bounds: two runtimes on a busy machine. Counts must be equal. */
const TTFB_FACTOR_MAX = 3;
const TTFB_ROOM_MS = 2;
const MODEL = 'short-chat';

/** @param amount answers, over 4 connections */
export async function compareRuntimes(amount: number): Promise<RuntimeCheck> {
  const folder = mkdtempSync(join(tmpdir(), 'bve-bench-'));
  const cores = chooseCores();
  const mock = await startMockProcess(cores.target, folder);
  const measureUnder = async (runtime: 'bun' | 'node') => {
    const load = startLoad(cores.load, runtime);
    try {
      await load.run('learn', { upstream: mock.endpoint, models: [MODEL] });
      const job = { endpoint: mock.endpoint, models: [MODEL], connections: 4, warmUpS: 0, seconds: 0, amount };
      return await load.run('load', job);
    } finally {
      await load.stop();
    }
  };
  try {
    const bun = await measureUnder('bun');
    const node = await measureUnder('node');
    return { bun, node, differences: differencesOf(bun, node, amount), slower: slowerOf(bun, node) };
  } finally {
    await mock.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

export function runtimeText({ bun, node, differences, slower }: RuntimeCheck): string {
  const problems = [...differences, ...(slower === null ? [] : [slower])];
  const row = (name: string, { autocannon, answers, events, bytes, ttfbMs, faults }: Measurement) =>
    `${name.padEnd(6)}${[autocannon.answers, answers, events, bytes, faultCount(faults), ttfbMs.p50.toFixed(2)].map((value) => String(value).padStart(12)).join('')}\n`;
  const head = `${' '.repeat(6)}${['autocannon', 'answers', 'events', 'bytes', 'faults', 'TTFB p50 ms'].map((text) => text.padStart(12)).join('')}\n`;
  return `${head}${row('bun', bun)}${row('node', node)}${problems.length === 0 ? 'they agree' : problems.join('\n')}\n`;
}

function differencesOf(bun: Measurement, node: Measurement, amount: number): string[] {
  const counts: readonly (readonly [string, number, number])[] = [
    ['autocannon counted answers', bun.autocannon.answers, node.autocannon.answers],
    ['answers', bun.answers, node.answers],
    ['events', bun.events, node.events],
    ['bytes', bun.bytes, node.bytes],
    ['faults', faultCount(bun.faults), faultCount(node.faults)],
    ['errors', bun.autocannon.errors, node.autocannon.errors],
    ['answers under Bun and answers asked for', bun.answers, amount],
  ];
  return counts.filter(([, one, other]) => one !== other).map(([name, one, other]) => `${name}: ${one} and ${other}`);
}

function slowerOf(bun: Measurement, node: Measurement): string | null {
  const [low, high] = [bun.ttfbMs.p50, node.ttfbMs.p50].sort((a, b) => a - b) as [number, number];
  const differs = high > low * TTFB_FACTOR_MAX && high - low > TTFB_ROOM_MS;
  return differs ? `TTFB p50: ${low.toFixed(2)} and ${high.toFixed(2)} ms` : null;
}

if (import.meta.main) {
  await runMain('bench:runtimes', async () => {
    if (Bun.which('node') === null) throw new Error('node is not installed');
    const check = await compareRuntimes(400);
    process.stdout.write(runtimeText(check));
    return check.differences.length === 0 && check.slower === null ? 0 : 1;
  });
}
