/** Starts load-process.ts and mock-process.ts, sends jobs, ends both. */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { type Child, spawnChild } from './child.ts';
import { cacheFolder, ROOT } from './folders.ts';
import type { TargetEndpoint } from './load.ts';
import type { Jobs } from './load-process.ts';

export interface LoadClient {
  run<N extends keyof Jobs>(name: N, job: Jobs[N]['in']): Promise<Jobs[N]['out']>;
  stop(): Promise<void>;
}

const BUN: readonly string[] = [process.execPath, '--no-env-file'];

export function startLoad(core: number | null, runtime: 'bun' | 'node' = 'bun'): LoadClient {
  const source = join(ROOT, 'bench/suite/load-process.ts');
  const command = runtime === 'bun' ? [...BUN, source] : ['node', bundleForNode(source)];
  const child = spawnChild(command, { core, cwd: ROOT }, true);
  const lines = linesOf(child);
  return {
    run: async (name, job) => {
      child.process.stdin.write(`${JSON.stringify({ name, job })}\n`);
      child.process.stdin.flush();
      const { value, done } = await lines.next();
      if (done) throw new Error(`the load generator ended: ${child.output().slice(-1000)}`);
      const answer = JSON.parse(value) as { result?: Jobs[typeof name]['out']; error?: string };
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer.result!;
    },
    stop: () => child.stop(),
  };
}

export interface MockProcess {
  readonly endpoint: TargetEndpoint;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** @param folder for generated recordings @param port 0 for a free one */
export async function startMockProcess(core: number | null, folder: string, port = 0): Promise<MockProcess> {
  const source = join(ROOT, 'bench/suite/mock-process.ts');
  const child = spawnChild([...BUN, source, folder, String(port)], { core, cwd: ROOT }, true);
  const { value, done } = await linesOf(child).next();
  if (done) throw new Error(`the mock upstream did not start: ${child.output().trim().slice(-400)}`);
  const listening = (JSON.parse(value) as { port: number }).port;
  const endpoint = { url: `http://127.0.0.1:${listening}/v1`, headers: {}, pid: null };
  return { endpoint, port: listening, pid: child.pid, stop: () => child.stop() };
}

/** In a cache inside node_modules, from where Node can resolve autocannon. */
function bundleForNode(source: string): string {
  const outfile = join(cacheFolder(ROOT), 'load-process.mjs');
  const built = Bun.spawnSync(
    [process.execPath, 'build', source, '--target=node', '--external', 'autocannon', '--outfile', outfile],
    { cwd: ROOT, stderr: 'pipe' },
  );
  if (built.exitCode !== 0) throw new Error(`cannot bundle for Node: ${built.stderr.toString().slice(-400)}`);
  return outfile;
}

function linesOf(child: Child): AsyncIterator<string> {
  return createInterface({ input: Readable.fromWeb(child.process.stdout as never) })[Symbol.asyncIterator]();
}
