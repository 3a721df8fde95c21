/** The limiter over TLS, as a user with few rights, behind sentinels and in a cluster, each with a failover. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RedisLimiter } from '../../src/limits/redis/redis-limiter.ts';
import { RedisLink } from '../../src/limits/redis/redis-link.ts';
import { parseRedisUrl } from '../../src/limits/redis/redis-url.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { type RedisServer, startRedis, WITHOUT_REDIS } from '../support/redis.ts';
import { SELF_SIGNED } from '../support/self-signed.ts';
import { granted, keyWith } from './contract.ts';

setDefaultTimeout(60_000);

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

function kept<T extends AsyncDisposable>(resource: T): T {
  open.push(resource);
  return resource;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'bve-redis-'));
  kept({
    [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }),
  });
  return path;
}

async function limiterOn(url: string, ca?: string) {
  const complaints: string[] = [];
  const link = new RedisLink(parseRedisUrl(url), {
    timeoutMs: 2_000,
    ca,
    onAway: (error) => complaints.push(error.message),
  });
  const limiter = new RedisLimiter(link, { usedDays: async (_key, _first, _last, done) => done([]) });
  kept({
    [Symbol.asyncDispose]: async () => {
      await limiter.close();
      await link.close();
    },
  });
  await link.start();
  return { link, limiter, complaints };
}
type Opened = Awaited<ReturnType<typeof limiterOn>>;

/** Three requests of a key with a limit of three, and no fourth. */
async function countsRight({ limiter }: Opened): Promise<void> {
  const key = keyWith({ rpdLimit: 3, maxConcurrent: 2 });
  for (let i = 0; i < 3; i++) granted(await limiter.admit(key, Date.now())).release({ tokens: 1 });
  expect(await limiter.admit(key, Date.now())).toMatchObject({ granted: false, limit: 'requestsPerDay' });
  expect((await limiter.status(key, Date.now())).tokensPerMonth.used).toBe(3);
}
const isBack = ({ link, limiter }: Opened) =>
  eventually(async () => {
    if (link.isAway) return false;
    return Promise.resolve(limiter.admit(keyWith({ rpmLimit: 1 }), Date.now())).then(
      () => true,
      () => false,
    );
  });

describe.skipIf(WITHOUT_REDIS !== null)('Redis', () => {
  test('over TLS: an authority that is known and the name of the certificate are wanted', async () => {
    const files = folder();
    const cert = join(files, 'cert.pem');
    const key = join(files, 'key.pem');
    writeFileSync(cert, SELF_SIGNED.cert);
    writeFileSync(key, SELF_SIGNED.key);
    const port = freePort();
    kept(
      await startRedis({
        port,
        portOption: '--tls-port',
        args: ['--port', '0', '--tls-cert-file', cert, '--tls-key-file', key, '--tls-auth-clients', 'no'],
        clientOptions: { tls: { rejectUnauthorized: false } },
      }),
    );
    await countsRight(await limiterOn(`rediss://localhost:${port}`, SELF_SIGNED.cert));
    for (const [url, ca] of [
      [`rediss://localhost:${port}`, undefined],
      [`rediss://127.0.0.1:${port}`, SELF_SIGNED.cert],
      [`redis://localhost:${port}`, undefined],
    ] as const) {
      const { link } = await limiterOn(url, ca);
      expect(link.isAway).toBe(true);
    }
  });

  test('as a user that may do what docs/redis.md says, and no more', async () => {
    const server = kept(await startRedis());
    const rule = [
      'on',
      '>secret',
      '~bve:*',
      '+evalsha',
      '+eval',
      '+time',
      '+hmget',
      '+hgetall',
      '+hset',
      '+hdel',
      '+pexpire',
      '+ping',
      '+select',
      '+client|setname',
    ];
    await server.client().acl('SETUSER', 'bve', ...rule);
    await countsRight(await limiterOn(`redis://bve:secret@127.0.0.1:${server.port}`));
    await server.client().acl('SETUSER', 'poor', 'on', '>secret', '~other:*', '+@all');
    const refused = limiterOn(`redis://poor:secret@127.0.0.1:${server.port}`);
    expect(
      await refused.then(
        () => '',
        (error: Error) => error.message,
      ),
    ).toMatch(/NOPERM/);
  });

  test('an address that now belongs to a replica is away until it is promoted', async () => {
    const primary = kept(await startRedis());
    const opened = await limiterOn(primary.url);
    const admin = primary.client();
    const other = kept(await startRedis());
    await admin.replicaof('127.0.0.1', other.port);
    await Promise.resolve(opened.limiter.admit(keyWith({ rpmLimit: 1 }), Date.now())).catch(() => {});
    expect(opened.link.isAway).toBe(true);
    expect(opened.complaints.join()).toContain('READONLY');
    await admin.replicaof('NO', 'ONE');
    await isBack(opened);
    await countsRight(opened);
  });

  test('behind sentinels: after a failover it goes on with the new primary', async () => {
    const primary = kept(await startRedis());
    const replica = kept(await startRedis({ args: ['--replicaof', `127.0.0.1 ${primary.port}`] }));
    const sentinels: RedisServer[] = [];
    for (let i = 0; i < 3; i++) {
      const config = join(folder(), 'sentinel.conf');
      writeFileSync(
        config,
        `sentinel monitor mymaster 127.0.0.1 ${primary.port} 2\nsentinel down-after-milliseconds mymaster 500\nsentinel failover-timeout mymaster 3000\n`,
      );
      sentinels.push(kept(await startRedis({ sentinelConfig: config })));
    }
    const asked = sentinels[0]!.client();
    const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    await eventually(async () => {
      const replicas = (await asked.call('SENTINEL', 'REPLICAS', 'mymaster')) as unknown[];
      const others = (await asked.call('SENTINEL', 'SENTINELS', 'mymaster')) as unknown[];
      return replicas.length === 1 && others.length === 2;
    });
    const opened = await limiterOn(`redis+sentinel://${hosts}/mymaster`);
    expect(opened.link.isAway).toBe(false);
    await countsRight(opened);
    await primary.stop('kill');
    await eventually(async () => (await replica.client().role())[0] === 'master');
    await isBack(opened);
    await countsRight(opened);
  });

  test('in a cluster: keys are where they belong, also after a failover', async () => {
    const nodes: RedisServer[] = [];
    for (let i = 0; i < 4; i++) {
      nodes.push(kept(await startRedis({ args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '1000'] })));
    }
    const [a, b, c, d] = nodes as [RedisServer, RedisServer, RedisServer, RedisServer];
    const clients = nodes.map((node) => node.client());
    for (const [i, [first, last]] of [
      [0, 5460],
      [5461, 10_922],
      [10_923, 16_383],
    ].entries()) {
      await clients[i]!.cluster('ADDSLOTSRANGE', first!, last!);
      await clients[i]!.cluster('SET-CONFIG-EPOCH', i + 1);
    }
    for (const { port } of [b, c, d]) await clients[0]!.cluster('MEET', '127.0.0.1', port);
    await eventually(async () => (await clients[3]!.cluster('INFO')).includes('cluster_known_nodes:4'));
    const idOfA = await clients[0]!.cluster('MYID');
    await eventually(() =>
      clients[3]!.cluster('REPLICATE', idOfA).then(
        () => true,
        () => false,
      ),
    );
    for (const client of clients) {
      await eventually(async () => (await client.cluster('INFO')).includes('cluster_state:ok'));
    }
    const opened = await limiterOn(`redis+cluster://127.0.0.1:${b.port},127.0.0.1:${a.port}`);
    expect(opened.complaints).toEqual([]);
    // Slots of all nodes.
    for (let i = 0; i < 12; i++) await countsRight(opened);
    await eventually(async () => (await clients[3]!.info('replication')).includes('master_link_status:up'));
    await a.stop('kill');
    await eventually(async () => (await clients[3]!.role())[0] === 'master');
    await eventually(async () => (await clients[1]!.cluster('INFO')).includes('cluster_state:ok'));
    await isBack(opened);
    for (let i = 0; i < 12; i++) {
      await eventually(() =>
        countsRight(opened).then(
          () => true,
          () => false,
        ),
      );
    }
  });
});
