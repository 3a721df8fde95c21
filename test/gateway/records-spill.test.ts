/** Usage records of a gateway whose database is in trouble when it is stopped or killed. */
import { Database } from 'bun:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { openStore } from '../../src/store/open-store.ts';
import { eventually } from '../support/eventually.ts';
import { type GatewayProcess, runBve, startGatewayProcess } from '../support/gateway.ts';
import { callOf, PLAIN, TEST_TIMEOUT_MS } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';

setDefaultTimeout(TEST_TIMEOUT_MS);

const REQUESTS = 40;

let mock: MockServer;
let folder: string;
let spillDir: string;
const gateways: GatewayProcess[] = [];

beforeAll(() => {
  mock = startMock({ port: 0 });
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bve-test-'));
  spillDir = join(folder, 'spill');
  mkdirSync(spillDir);
});
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.stop();
  rmSync(folder, { recursive: true, force: true });
});
afterAll(() => mock.stop());

async function start(env: Record<string, string> = {}, mayFail = false): Promise<GatewayProcess> {
  const gateway = await startGatewayProcess({
    upstreamUrl: mock.url,
    folder,
    env: { DRAIN_TIMEOUT_MS: '300', USAGE_SPILL_DIR: spillDir, ...env },
    mayFail,
  });
  gateways.push(gateway);
  return gateway;
}

async function send(gateway: GatewayProcess, count: number): Promise<void> {
  const answers = Array.from({ length: count }, () => rawRequest(gateway.port, callOf(gateway.key, { body: PLAIN })));
  for (const { status } of await Promise.all(answers)) expect(status).toBe(200);
}

/** As another process locks it. */
function lock(gateway: GatewayProcess): { free(): void } {
  const other = new Database(gateway.databaseUrl.slice('sqlite://'.length));
  other.run('BEGIN IMMEDIATE');
  return {
    free: () => {
      other.run('ROLLBACK');
      other.close();
    },
  };
}

const files = () => readdirSync(spillDir);
const messages = (gateway: GatewayProcess) => gateway.logLines().map(({ msg }) => msg);

test('stopped behind a lock: everything is in a file, said, exit code 0; the next start takes it up, once', async () => {
  const before = await start();
  await send(before, 5);
  await before.waitForUsage(5);
  const locked = lock(before);
  await send(before, REQUESTS);
  before.signal('SIGTERM');
  expect(await before.exited).toBe(0);
  expect(files()).toHaveLength(1);
  const warning = before.logLines().find(({ spilled, msg }) => spilled === REQUESTS && String(msg).includes('file'));
  expect(warning).toMatchObject({ level: 'warn' });
  locked.free();
  for (let i = 0; i < 2; i++) {
    const after = await start();
    expect(await after.usage()).toHaveLength(5 + REQUESTS);
    expect(files()).toEqual([]);
    expect(messages(after).includes('usage records of an earlier run are taken up')).toBe(i === 0);
    after.signal('SIGTERM');
    expect(await after.exited).toBe(0);
  }
  const store = await openStore(before.databaseUrl);
  const days = await store.recentUsageDays({ first: 0, last: 1e6, limit: 9 });
  expect(days.reduce((sum, { requests }) => sum + requests, 0)).toBe(5 + REQUESTS);
  await store.close();
});

test('killed behind a lock: what is older than a tenth of a second is in a file', async () => {
  const before = await start();
  const locked = lock(before);
  await send(before, REQUESTS);
  await eventually(() => files().length > 0);
  await Bun.sleep(100);
  before.signal('SIGKILL');
  await before.exited;
  locked.free();
  const after = await start();
  expect(await after.usage()).toHaveLength(REQUESTS);
});

test('a lock that is freed while the gateway drains: all is written, nothing is left in files', async () => {
  const gateway = await start({ DRAIN_TIMEOUT_MS: '20000' });
  const locked = lock(gateway);
  await send(gateway, REQUESTS);
  gateway.signal('SIGTERM');
  await eventually(() => messages(gateway).includes('stopping'));
  locked.free();
  expect(await gateway.exited).toBe(0);
  expect(files()).toEqual([]);
  const store = await openStore(gateway.databaseUrl);
  expect(await store.recentUsage({ limit: 1_000 })).toHaveLength(REQUESTS);
  await store.close();
});

test('a second signal ends the wait for the store', async () => {
  const gateway = await start({ DRAIN_TIMEOUT_MS: '3600000' });
  const locked = lock(gateway);
  await send(gateway, REQUESTS);
  gateway.signal('SIGTERM');
  await eventually(() => messages(gateway).includes('stopping'));
  gateway.signal('SIGTERM');
  expect(await gateway.exited).toBe(0);
  expect(files()).toHaveLength(1);
  locked.free();
});

test('without room in files what is lost is counted, and the exit code is 1', async () => {
  const gateway = await start({ USAGE_SPILL_BYTES_MAX: '0' }, true);
  const locked = lock(gateway);
  await send(gateway, REQUESTS);
  gateway.signal('SIGTERM');
  expect(await gateway.exited).toBe(1);
  const lines = gateway.logLines();
  expect(lines.find(({ msg }) => msg === 'usage records are lost')).toMatchObject({ level: 'error', lost: REQUESTS });
  locked.free();
});

test('a deleted database: records are in a file, and in the database that the next start makes', async () => {
  const before = await start();
  await send(before, 1);
  await before.waitForUsage(1);
  for (const end of ['', '-wal', '-shm']) rmSync(`${before.databaseUrl.slice('sqlite://'.length)}${end}`);
  await send(before, REQUESTS);
  before.signal('SIGTERM');
  expect(await before.exited).toBe(0);
  const after = await start();
  expect(await after.usage()).toHaveLength(REQUESTS);
});

test('a USAGE_SPILL_DIR that cannot be used stops the start and is named', async () => {
  const gateway = await start();
  const { exitCode, stderr } = await runBve(['serve'], { ...gateway.env, USAGE_SPILL_DIR: join(folder, 'missing') });
  expect(exitCode).toBe(1);
  expect(stderr).toContain('USAGE_SPILL_DIR');
  expect(stderr).toContain('does not exist');
});

const isRoot = process.getuid?.() === 0 && process.platform === 'linux';
if (!isRoot) console.log('skipped: only root can mount a small disk and make files immutable');

test.if(isRoot)(
  'a full disk: what the database does not take is in a file elsewhere, and taken up when there is room',
  async () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    await Bun.$`mount -t tmpfs -o size=2m tmpfs ${disk}`;
    try {
      const env = { DATABASE_URL: `sqlite://${join(disk, 'bve.db')}` };
      const before = await start(env);
      // It ends with "no space left", which is what it is for.
      await Bun.$`head -c 4m /dev/zero > ${join(disk, 'filler')}`.nothrow().quiet();
      for (let round = 0; round < 20; round++) await send(before, REQUESTS);
      before.signal('SIGTERM');
      expect(await before.exited).toBe(0);
      expect(files().length).toBeGreaterThan(0);
      rmSync(join(disk, 'filler'));
      const after = await start(env);
      expect(await recordsIn(env.DATABASE_URL)).toBe(20 * REQUESTS);
      after.signal('SIGTERM');
      expect(await after.exited).toBe(0);
    } finally {
      await Bun.$`umount -l ${disk}`;
    }
  },
);

test.if(isRoot)('a database that turned read-only: no record is lost over the restart', async () => {
  const before = await start();
  const paths = ['', '-wal', '-shm'].map((end) => `${before.databaseUrl.slice('sqlite://'.length)}${end}`);
  const { exitCode } = await Bun.$`chattr +i ${paths}`.nothrow().quiet();
  if (exitCode !== 0) {
    console.log('skipped: this file system has no immutable files');
    return;
  }
  try {
    await send(before, REQUESTS);
    before.signal('SIGTERM');
    expect(await before.exited).toBe(0);
  } finally {
    await Bun.$`chattr -i ${paths}`;
  }
  await start();
  expect(await recordsIn(before.databaseUrl)).toBe(REQUESTS);
});

async function recordsIn(databaseUrl: string): Promise<number> {
  const store = await openStore(databaseUrl);
  const records = await store.recentUsage({ limit: 10_000 });
  await store.close();
  return records.length;
}
