/**
 * Runs in a network namespace: what becomes of requests whose upstream is cut off, and of one whose upstream is only slow.
 * Upstream is in a namespace of its own behind a pair of virtual interfaces; it is cut off by another hardware address,
 * with which it drops what still goes to the old one. Prints JSON.
 */
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { type Observed, send } from './observed.ts';
import { rawUpstream } from './raw-upstream.ts';

export interface DeadConnections {
  /** Requests on pooled connections, sent after upstream was cut off. */
  readonly pooled: readonly Ended[];
  /** A request that upstream had read before. */
  readonly working: Ended;
  /** A request whose upstream says nothing for longer than that, and is there. */
  readonly thinking: Ended;
}

interface Ended {
  readonly ended: string | undefined;
  readonly code: string | undefined;
  readonly ms: number;
}

const OPTIONS = { connectTimeoutMs: 5_000, idleConnectionsMax: 16, idleLimitMs: 60_000, ageMaxMs: 600_000 };
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const THINKS_MS = 16_000;
const POOLED = 3;

function run(...command: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(' ')}: ${stderr.toString()}`);
  return stdout.toString();
}

/** Answers at once, except requests for /work, which it only reads. */
const SERVER = `
  const text = ${JSON.stringify(ANSWER)};
  Bun.listen({ hostname: '10.7.0.2', port: 80, socket: {
    data(socket, bytes) { if (!bytes.includes('/work')) socket.write(text); else process.stdout.write('read\\n'); },
  } });
  process.stdout.write('listening\\n');
`;

// In a network of its own from the start; it tells which process it is, for `ip` to find that network.
const upstream = Bun.spawn(
  ['unshare', '--net', 'sh', '-c', 'echo $$; read go && exec "$0" -e "$1"', process.execPath, SERVER],
  {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  },
);
const lines = (async function* () {
  for await (const part of upstream.stdout) yield* Buffer.from(part).toString().trim().split('\n');
})();
const nextLine = async () => (await lines.next()).value!;
const pid = await nextLine();
const inside = (...command: string[]) => run('nsenter', '--target', pid, '--net', ...command);
run('ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', pid);
run('ip', 'address', 'add', '10.7.0.1/24', 'dev', 'near');
run('ip', 'link', 'set', 'near', 'up');
inside('ip', 'address', 'add', '10.7.0.2/24', 'dev', 'far');
inside('ip', 'link', 'set', 'far', 'address', '02:00:00:00:00:02');
inside('ip', 'link', 'set', 'far', 'up');
run('ip', 'neigh', 'replace', '10.7.0.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'near', 'nud', 'permanent');
upstream.stdin.write('go\n');
await upstream.stdin.flush();
await nextLine();

async function timed(exchange: Observed): Promise<Ended> {
  const startedAtMs = performance.now();
  const { ended, outcome } = await exchange.over;
  const code = outcome instanceof Error ? (outcome.cause as { code?: string } | undefined)?.code : undefined;
  return { ended, code, ms: performance.now() - startedAtMs };
}

const slow = rawUpstream((connection) => setTimeout(() => connection.write(ANSWER), THINKS_MS));
const thinking = timed(send(new SocketClient(slow.url, OPTIONS), { body: Buffer.from('{}') }));

const client = new SocketClient('http://10.7.0.2', OPTIONS);
await Promise.all(Array.from({ length: POOLED + 1 }, () => send(client).over));
const worker = send(new SocketClient('http://10.7.0.2', OPTIONS), { target: '/work', body: Buffer.from('{}') });
await nextLine();
inside('ip', 'link', 'set', 'far', 'address', '02:00:00:00:00:99');
const working = timed(worker);
const pooled = Array.from({ length: POOLED }, () => timed(send(client, { body: Buffer.from('{}') })));
const result = { pooled: await Promise.all(pooled), working: await working, thinking: await thinking };
process.stdout.write(JSON.stringify(result));
upstream.kill();
process.exit();
