/**
 * A rolling restart by SIGHUP under load, in a network of its own where Linux hands waiting connections on
 * (net.ipv4.tcp_migrate_req=1): no stream is lost, no request refused. `ROLLING_STREAM_S=20` for streams of 20 s.
 */
import { describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { inNamespace, whyNoNamespaces } from '../support/network-namespace.ts';
import { WITHOUT_REDIS } from '../support/redis.ts';
import type { RollingReport } from './rolling-load.ts';

setDefaultTimeout(120_000);

const WITHOUT = WITHOUT_REDIS ?? whyNoNamespaces();
if (WITHOUT !== null) console.log(`rolling restarts of workers: ${WITHOUT}`);
const SCRIPT = join(import.meta.dir, 'rolling-load.ts');

describe.skipIf(WITHOUT !== null)('a rolling restart of workers under load', () => {
  test('with tcp_migrate_req: no stream is lost and no request refused', async () => {
    const report = await inNamespace<RollingReport>(SCRIPT, { setup: ['sysctl -qw net.ipv4.tcp_migrate_req=1'] });
    expect(report.rolls).toBe(2);
    expect(report.streams).toBeGreaterThan(20);
    expect(report.requests).toBeGreaterThan(200);
    expect({ lost: report.lost, refused: report.refused, reset: report.reset }).toEqual({
      lost: 0,
      refused: 0,
      reset: 0,
    });
    expect(report.warned).toBe(false);
  });

  test('without it the start says what may happen', async () => {
    const report = await inNamespace<RollingReport>(SCRIPT, { setup: ['sysctl -qw net.ipv4.tcp_migrate_req=0'] });
    expect(report.warned).toBe(true);
    expect(report.lost).toBe(0);
    // Of connections that waited in the queue of a closed socket.
    console.log(`without tcp_migrate_req: ${report.reset} of ${report.requests} requests were reset`);
    expect(report.reset).toBeLessThan(report.requests / 20);
  });
});
