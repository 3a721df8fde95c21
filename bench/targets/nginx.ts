/** nginx with one worker, set up for streams: no buffering, keep-alive to upstream. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, run, spawnChild, waitForPort } from '../suite/child.ts';
import type { BenchTarget } from './target.ts';

export const nginx: BenchTarget = {
  name: 'nginx',
  about: 'one worker, proxy_buffering off, keep-alive upstream',
  prepare: async () => (Bun.which('nginx') === null ? 'nginx is not installed' : null),
  version: async () => (await run(['nginx', '-v'], { cwd: '.' })).stderr.trim().replace(/^.*nginx\//, ''),
  start: async ({ upstreamPort, folder, core }) => {
    const port = await freePort();
    const file = join(folder, 'nginx.conf');
    writeFileSync(file, configuration(folder, port, upstreamPort));
    const child = spawnChild(['nginx', '-p', folder, '-c', file], { core, cwd: folder });
    await waitForPort(port, child);
    return { url: `http://127.0.0.1:${port}/v1`, headers: {}, pid: child.pid, stop: child.stop };
  },
};

function configuration(folder: string, port: number, upstreamPort: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
    .join(' ');
  return `worker_processes 1; daemon off; pid ${folder}/nginx.pid; error_log stderr error;
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 100000000; ${temporary}
  upstream mock { server 127.0.0.1:${upstreamPort}; keepalive 8192; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} backlog=8192;
    location / {
      proxy_pass http://mock; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer fx-bench"; proxy_buffering off; proxy_request_buffering off;
    }
  }
}
`;
}
