/** This gateway, from source and as the compiled binary, set up as in README; also that of another checkout. */
import { join, relative } from 'node:path';
import { freePort, run, spawnChild, waitForPort } from '../suite/child.ts';
import { cacheFolder, ROOT } from '../suite/folders.ts';
import type { BenchTarget, StartContext } from './target.ts';

const API_KEY = 'fx-bench';

export const bveSource: BenchTarget = bveFrom('bve-source', 'bun src/main.ts serve', sourceCommand(ROOT));

export const bveBinary: BenchTarget = {
  ...bveFrom('bve-binary', 'the compiled binary, serve', [binaryOf(ROOT)]),
  prepare: () => build(ROOT),
};

/** The gateway of another checkout, from source. */
export function bveOf(root: string, name: string): BenchTarget {
  return bveFrom(name, 'bun src/main.ts serve', sourceCommand(root));
}

function sourceCommand(root: string): readonly string[] {
  return [process.execPath, '--no-env-file', join(root, 'src/main.ts')];
}

function bveFrom(name: string, about: string, bve: readonly string[]): BenchTarget {
  return {
    name,
    about,
    prepare: async () => null,
    version: async () => (await run([...bve, 'version'], { cwd: ROOT, env: {} })).stdout.trim(),
    start: (context) => start(bve, context),
  };
}

async function start(bve: readonly string[], { upstreamPort, folder, core }: StartContext) {
  const port = await freePort();
  const env = {
    HOST: '127.0.0.1',
    PORT: String(port),
    FUELIX_BASE_URL: `http://127.0.0.1:${upstreamPort}/v1`,
    FUELIX_API_KEY: API_KEY,
    API_KEY_PEPPER: 'pepper-of-the-bench',
    DATABASE_URL: `sqlite://${join(folder, 'bve.db')}`,
    LOG_LEVEL: 'warn',
  };
  const created = await run([...bve, 'keys', 'create', '--name', 'bench', '--unlimited', '--json'], {
    cwd: folder,
    env,
  });
  if (created.exitCode !== 0) throw new Error(`keys create: ${created.stderr.trim().slice(-400)}`);
  const { key } = JSON.parse(created.stdout) as { key: string };
  const child = spawnChild([...bve, 'serve'], { core, cwd: folder, env });
  await waitForPort(port, child);
  return {
    url: `http://127.0.0.1:${port}/v1`,
    headers: { authorization: `Bearer ${key}` },
    pid: child.pid,
    stop: child.stop,
  };
}

function binaryOf(root: string): string {
  return join(cacheFolder(root), 'bve');
}

/** Always rebuilt (half a second), so that it cannot be older than the sources. */
async function build(root: string): Promise<string | null> {
  const built = await run([process.execPath, 'scripts/build.ts', relative(root, binaryOf(root))], { cwd: root });
  return built.exitCode === 0 ? null : `the build failed: ${built.stderr.trim().slice(-200)}`;
}
