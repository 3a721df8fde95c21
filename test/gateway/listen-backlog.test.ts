/** What Bun's own backlog of 512 costs is told in src/listen-backlog.ts. */
import { expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { raiseListenBacklog } from '../../src/http/listen-backlog.ts';
import { pair } from '../support/pair.ts';

const runs = process.platform === 'linux' && Bun.which('ss') !== null;
if (!runs) console.log('skipped: the backlog is raised on Linux only, and read with ss (iproute2)');

const p = pair();

/** As the kernel tells it to ss(8): for a listening socket `Send-Q` is its backlog. */
async function backlogOf(port: number): Promise<number> {
  const told = await Bun.$`ss -ltnH sport = :${port}`.text();
  return Number(told.trim().split(/\s+/)[2]);
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
  expect(raiseListenBacklog(gone.port)).toBe(false);
  expect(await backlogOf(other.port)).toBe(before);
  expect(raiseListenBacklog(other.port)).toBe(true);
  expect(await backlogOf(other.port)).toBeGreaterThan(before);
  other.stop(true);
});
