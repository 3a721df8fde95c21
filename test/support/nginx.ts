/** nginx as a reverse proxy that keeps connections to its upstream, to compare with. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

const NGINX = Bun.which('nginx') ?? Bun.which('nginx', { PATH: '/usr/sbin:/usr/local/sbin' });

export const HAS_NGINX = NGINX !== null;

interface Nginx {
  readonly port: number;
  stop(): Promise<void>;
}

interface NginxOptions {
  /** Silence after which it gives an answer up. Default 60. */
  readonly readTimeoutS?: number;
  /** Collects answers that do not say `x-accel-buffering: no`. */
  readonly buffering?: boolean;
}

/** With one upstream server, which a POST is not sent to twice (`proxy_next_upstream error`). */
export async function startNginx(
  upstreamPort: number,
  host = '127.0.0.1',
  { readTimeoutS = 60, buffering = false }: NginxOptions = {},
): Promise<Nginx> {
  const folder = mkdtempSync(join(tmpdir(), 'bve-nginx-'));
  const port = freePort();
  const config = join(folder, 'nginx.conf');
  writeFileSync(
    config,
    `daemon off; worker_processes 1; error_log /dev/null; pid ${folder}/pid;
events { worker_connections 4096; }
http {
  access_log off;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join('\n  ')}
  upstream upstream { server 127.0.0.1:${upstreamPort} max_fails=0; keepalive 256; }
  server {
    listen ${host}:${port};
    location / {
      proxy_pass http://upstream;
      proxy_http_version 1.1;
      proxy_set_header connection "";
      proxy_next_upstream error;
      proxy_buffering ${buffering ? 'on' : 'off'};
      proxy_read_timeout ${readTimeoutS}s;
      proxy_request_buffering off;
      client_max_body_size 0;
    }
  }
}
`,
  );
  const child = Bun.spawn([NGINX!, '-p', folder, '-c', config], { stdout: 'ignore', stderr: 'ignore' });
  await eventually(() =>
    fetch(`http://${host}:${port}/`).then(
      () => true,
      () => false,
    ),
  );
  return {
    port,
    stop: async () => {
      child.kill('SIGTERM');
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
