/** HAProxy in front of two servers, as operators run it: it looks at /ready, and sends requests where that is 200. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';

/** Debian puts it where only root's PATH looks. */
const PROGRAM = Bun.which('haproxy') ?? Bun.which('haproxy', { PATH: '/usr/sbin:/usr/local/sbin' });
export const HAS_HAPROXY = PROGRAM !== null;

interface Haproxy {
  readonly port: number;
  /** Resolves when the server with this number is, or is no longer, sent requests. */
  until(server: number, status: 'UP' | 'DOWN'): Promise<void>;
  stop(): Promise<void>;
}

/** @param checkEveryMs how often it looks at /ready */
export async function startHaproxy(ports: readonly number[], checkEveryMs: number): Promise<Haproxy> {
  const folder = mkdtempSync(join(tmpdir(), 'haproxy-'));
  const control = join(folder, 'control');
  const port = freePort();
  const servers = ports.map(
    (serverPort, n) => `  server s${n} 127.0.0.1:${serverPort} check inter ${checkEveryMs}ms fall 1 rise 1`,
  );
  await Bun.write(
    join(folder, 'haproxy.cfg'),
    `global
  stats socket ${control} mode 600 level admin
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  # A busy machine answers late; only a 503 takes a server out.
  timeout check 10s
listen gateways
  bind 127.0.0.1:${port}
  balance roundrobin
  option httpchk GET /ready
${servers.join('\n')}
`,
  );
  const child = Bun.spawn([PROGRAM!, '-db', '-q', '-f', join(folder, 'haproxy.cfg')], {
    stdout: 'pipe',
    stderr: 'pipe',
  });

  /** One line for each proxy and server, as comma-separated fields. */
  const statusOf = async (server: number): Promise<string | undefined> => {
    const lines = (await ask(control, 'show stat\n')).split('\n').map((line) => line.split(','));
    const column = lines[0]!.indexOf('status');
    return lines.find((fields) => fields[1] === `s${server}`)?.[column];
  };
  const until = async (server: number, status: string): Promise<void> => {
    await eventually(async () => (await statusOf(server).catch(() => undefined))?.startsWith(status));
  };
  for (const n of ports.keys()) await until(n, 'UP');
  return {
    port,
    until,
    stop: async () => {
      child.kill('SIGKILL');
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ask(path: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    Bun.connect({
      unix: path,
      socket: {
        open(socket) {
          socket.write(command);
        },
        data(_, bytes) {
          text += bytes.toString();
        },
        close: () => resolve(text),
        connectError: (_, error) => reject(error),
      },
    }).catch(reject);
  });
}
