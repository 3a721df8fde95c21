/** What Bun's own backlog and the kernel's own buffers cost is told in src/http/listening-socket.ts. */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { ListeningSocket } from '../../src/http/listening-socket.ts';
import { eventually } from '../support/eventually.ts';
import { callOf, pair, STREAM } from '../support/pair.ts';
import { StreamReader } from '../support/reader.ts';
import { stoppedAt } from '../support/stopped-upstream.ts';

const runs = process.platform === 'linux' && Bun.which('ss') !== null;
if (!runs) console.log('skipped: sockets are tuned on Linux only, and read with ss (iproute2)');

const MB = 1024 * 1024;
const STALLED_CLIENTS = 200;

// Warm, so that what a cold process grows by is not taken for the clients'.
const p = pair({ requestsMax: STALLED_CLIENTS, env: { WARM_UP_REQUESTS: '2000' } });

/** As the kernel tells it to ss(8): for a listening socket `Send-Q` is its backlog. */
async function backlogOf(port: number): Promise<number> {
  const told = await Bun.$`ss -ltnH sport = :${port}`.text();
  return Number(told.trim().split(/\s+/)[2]);
}

/** What the kernel holds in the buffers of a process's sockets, bytes: `r` and `w` of skmem. */
async function kernelBytesOf(pid: number): Promise<number> {
  const told = await Bun.$`ss -tmnpHO`.text();
  const own = told.split('\n').filter((line) => line.includes(`pid=${pid},`));
  return own.reduce((sum, line) => {
    const [, received, sent] = /skmem:\(r(\d+),.*?,w(\d+)/.exec(line) ?? [];
    return sum + Number(received ?? 0) + Number(sent ?? 0);
  }, 0);
}

test.if(runs)('as many clients may wait to be accepted as the kernel allows', async () => {
  const allowed = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'));
  expect(await backlogOf(p.gateway.port)).toBe(Math.min(allowed, 65_535));
});

test.if(runs)('only the socket that listens on the port is touched, and none is told of and not thrown', async () => {
  const open = () => Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data: () => {} } });
  const [other, gone] = [open(), open()];
  const before = await backlogOf(other.port);
  gone.stop(true);
  expect(ListeningSocket.find(gone.port)).toBe(null);
  expect(await backlogOf(other.port)).toBe(before);
  ListeningSocket.find(other.port)!.tune();
  expect(await backlogOf(other.port)).toBeGreaterThan(before);
  other.stop(true);
});

test.if(runs)(
  `${STALLED_CLIENTS} clients that stop reading cost less than 100 MB, in the process and in the kernel`,
  async () => {
    const processBefore = p.gateway.rss();
    const kernelBefore = await kernelBytesOf(p.gateway.pid);
    p.mock.script({ events: 100_000_000, event_bytes: 16_384 });
    const open = async () => {
      const reader = await StreamReader.open(p.gateway.port, callOf(p.gateway.key, { body: STREAM }));
      await reader.head();
      reader.socket.pause();
      return reader;
    };
    const readers = await Promise.all(Array.from({ length: STALLED_CLIENTS }, open));
    await Promise.all(p.mock.requests.map((request) => stoppedAt(request)));
    const kernel = (await kernelBytesOf(p.gateway.pid)) - kernelBefore;
    // What has passed until they stopped is garbage, which the process gives back within some ten seconds.
    const cost = () => p.gateway.rss() - processBefore + kernel;
    await eventually(
      () => cost() < 100 * MB || undefined,
      () => `they cost ${Math.round(cost() / MB)} MB, ${Math.round(kernel / MB)} of them in the kernel`,
    );
    // It was asked, and found them: each holds something.
    expect(kernel).toBeGreaterThan(STALLED_CLIENTS * 100_000);
    for (const reader of readers) reader.leave();
  },
);
