/** Caddy's reverse_proxy, flushing every write. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, run, spawnChild, waitForPort } from '../suite/child.ts';
import type { BenchTarget } from './target.ts';

export const caddy: BenchTarget = {
  name: 'caddy',
  about: 'reverse_proxy, flush_interval -1',
  prepare: async () => (Bun.which('caddy') === null ? 'caddy is not installed' : null),
  version: async () => (await run(['caddy', 'version'], { cwd: '.' })).stdout.trim().split(' ')[0] ?? '',
  start: async ({ upstreamPort, folder, core }) => {
    const port = await freePort();
    const file = join(folder, 'Caddyfile');
    writeFileSync(file, configuration(port, upstreamPort));
    const child = spawnChild(['caddy', 'run', '--config', file, '--adapter', 'caddyfile'], {
      core,
      cwd: folder,
    });
    await waitForPort(port, child);
    return { url: `http://127.0.0.1:${port}/v1`, headers: {}, pid: child.pid, stop: child.stop };
  },
};

function configuration(port: number, upstreamPort: number): string {
  return `{
	admin off
	auto_https off
	log {
		level ERROR
	}
}
http://127.0.0.1:${port} {
	bind 127.0.0.1
	reverse_proxy 127.0.0.1:${upstreamPort} {
		flush_interval -1
		header_up Authorization "Bearer fx-bench"
	}
}
`;
}
