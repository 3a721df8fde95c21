/** Runs in a network namespace: what the client says of each way in which connect() fails, and how soon. Prints JSON. */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { SocketClient } from '../../src/upstream/socket-client.ts';
import { type Observed, send } from './observed.ts';
import { rawUpstream } from './raw-upstream.ts';

export interface ConnectFailure {
  readonly what: string;
  readonly ended: string | undefined;
  readonly code: string | undefined;
  readonly ms: number;
}

const OPTIONS = { connectTimeoutMs: 5_000, idleConnectionsMax: 16, idleLimitMs: 30_000, ageMaxMs: 600_000 };
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';
const results: ConnectFailure[] = [];

async function attempt(what: string, url: string, client = new SocketClient(url, OPTIONS)): Promise<void> {
  const startedAtMs = performance.now();
  const exchange = await send(client, { body: Buffer.from('{}') }).over;
  results.push({ what, ended: exchange.ended, code: codeOf(exchange), ms: performance.now() - startedAtMs });
}

function codeOf({ outcome }: Observed): string | undefined {
  return outcome instanceof Error ? (outcome.cause as { code?: string }).code : undefined;
}

const taken: number[] = [];

function takeAllDescriptors(): void {
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch {
    // That was the last one.
  }
}

await attempt('no route, by address', 'http://10.1.2.3');
await attempt('no route, by name', 'http://away.test');
await attempt('unreachable host, by address', 'http://10.9.9.9');
await attempt('unreachable host, by name', 'http://gone.test');
await attempt('no route, over TLS', 'https://10.1.2.3');

const upstream = rawUpstream((connection) => connection.write(ANSWER));
await attempt('one of two addresses is reached, by name', `http://both.test:${upstream.port}`);

// One local port, which a connection to upstream has taken.
writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '40000 40000');
const holder = await Bun.connect({ hostname: '127.0.0.1', port: upstream.port, socket: { data() {} } });
await attempt('no local port, by address', upstream.url);
await attempt('no local port, by name', `http://localhost:${upstream.port}`);
holder.terminate();
writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '32768 60999');

const pooled = new SocketClient(upstream.url, OPTIONS);
await Promise.all(Array.from({ length: 4 }, () => send(pooled).over));
const byName = new SocketClient(`http://localhost:${upstream.port}`, OPTIONS);
await send(byName).over;
takeAllDescriptors();
// A streamed body needs a new connection: idle ones give up their descriptors for it, and for the server's end of it.
const streamed = () => new Blob(['{}']).stream() as ReadableStream<Uint8Array>;
const shed = await send(pooled, { body: streamed() }).over;
results.push({ what: 'no descriptor, but idle connections', ended: shed.ended, code: codeOf(shed), ms: 0 });
takeAllDescriptors();
await attempt('no descriptor, by address', upstream.url);
await attempt('no descriptor, by name', `http://localhost:${upstream.port}`);
for (const fd of taken) closeSync(fd);
process.stdout.write(JSON.stringify(results));
process.exit();
