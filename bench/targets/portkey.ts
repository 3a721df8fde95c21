/** Portkey's open-source gateway (npm), under Bun. Not a dependency of the project: installed into a cache on request. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, run, spawnChild, waitForPort } from '../suite/child.ts';
import { cacheFolder, ROOT } from '../suite/folders.ts';
import type { BenchTarget } from './target.ts';

const PACKAGE = '@portkey-ai/gateway';
const VERSION = '1.15.2';

/** @param mayInstall fetches the package when it is not in the cache yet */
export function portkey(mayInstall: boolean): BenchTarget {
  return {
    name: 'portkey',
    about: `npm ${PACKAGE}, under Bun, provider openai with a custom host`,
    prepare: async () => {
      if (existsSync(program())) return null;
      return mayInstall ? install() : 'not installed; --targets portkey fetches it';
    },
    version: async () => VERSION,
    start: async ({ upstreamPort, folder, core }) => {
      const port = await freePort();
      const child = spawnChild([process.execPath, '--no-env-file', program(), `--port=${port}`, '--headless'], {
        core,
        cwd: folder,
        env: {
          TRUSTED_CUSTOM_HOSTS: '127.0.0.1',
          // Without it fetch keeps at most 256 requests in flight, and the others wait.
          BUN_CONFIG_MAX_HTTP_REQUESTS: '20000',
        },
      });
      await waitForPort(port, child);
      return {
        url: `http://127.0.0.1:${port}/v1`,
        headers: {
          authorization: 'Bearer fx-bench',
          'x-portkey-provider': 'openai',
          'x-portkey-custom-host': `http://127.0.0.1:${upstreamPort}/v1`,
        },
        pid: child.pid,
        stop: child.stop,
      };
    },
  };
}

function folderOf(): string {
  return join(cacheFolder(ROOT), 'portkey');
}

function program(): string {
  return join(folderOf(), 'node_modules', PACKAGE, 'build/start-server.js');
}

async function install(): Promise<string | null> {
  mkdirSync(folderOf(), { recursive: true });
  // A manifest of its own, or the package would become a dependency of the project.
  writeFileSync(join(folderOf(), 'package.json'), '{"private":true}\n');
  const added = await run([process.execPath, 'add', '--exact', '--ignore-scripts', `${PACKAGE}@${VERSION}`], {
    cwd: folderOf(),
  });
  return added.exitCode === 0 ? null : `cannot be installed: ${added.stderr.trim().split('\n').at(-1)}`;
}
