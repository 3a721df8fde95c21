/** The mock upstream and the load generator in C of `../shared/bench`, compiled and run on core 1. */
import { connect } from 'node:net';
import { join } from 'node:path';
import { ROOT } from '../suite/folders.ts';

const SOURCES = join(ROOT, '../shared/bench');

/** Of streambench.py, whose figures are those of docs/performance.md. */
export const CASES = {
  trickle: { chunks: 50, delayUs: 10_000, clients: 250 },
  burst: { chunks: 20, delayUs: 0, clients: 32 },
} as const;
export type CaseName = keyof typeof CASES;

/** Ages are of chunks at their client, in microseconds since the mock sent them. */
export interface LoadFigures {
  readonly ok: number;
  readonly bad: number;
  readonly perS: number;
  readonly ageP50: number;
  readonly ageP99: number;
  readonly ageMax: number;
}

export interface BenchLoad {
  startMock(name: CaseName): Promise<{ readonly port: number; kill(): void }>;
  run(name: CaseName, gateway: { readonly port: number; readonly key: string }, seconds: number): Promise<LoadFigures>;
}

/** @throws Error where gcc or the sources are missing */
export function buildLoad(folder: string): BenchLoad {
  for (const name of ['mock_sse', 'loadgen']) {
    const built = Bun.spawnSync(['gcc', '-O2', '-o', join(folder, name), join(SOURCES, `${name}.c`)]);
    if (built.exitCode !== 0) throw new Error(`cannot compile ${name}.c of ../shared/bench: ${built.stderr}`);
  }
  return {
    async startMock(name) {
      const { chunks, delayUs } = CASES[name];
      const port = freePort();
      const mock = Bun.spawn(['taskset', '-c', '1', join(folder, 'mock_sse'), `${port}`, `${chunks}`, `${delayUs}`]);
      for (let i = 0; i < 200 && !(await listens(port)); i++) await Bun.sleep(10);
      return { port, kill: () => mock.kill('SIGKILL') };
    },
    async run(name, { port, key }, seconds) {
      const { chunks, clients } = CASES[name];
      const args = [port, clients, seconds, 0, key, chunks].map(String);
      const child = Bun.spawn(['taskset', '-c', '1', join(folder, 'loadgen'), ...args], { stdout: 'pipe' });
      const told = JSON.parse(await new Response(child.stdout).text());
      const { p50, p99, max } = told.chunk_age_us;
      const bad = told.bad + told.badstatus + told.unfinished;
      return { ok: told.ok, bad, perS: told.rps, ageP50: p50, ageP99: p99, ageMax: max };
    },
  };
}

function freePort(): number {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
  const { port } = server;
  server.stop(true);
  return port;
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    }).on('error', () => resolve(false));
  });
}
