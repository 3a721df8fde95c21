/** deploy/compose.yaml: the processes it names are started here as it says, from Debian's packages, and work together. */
import { afterAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { startMock } from '../../src/mock/server.ts';
import { adminCall } from '../admin/admin-client.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { startGatewayProcess } from '../support/gateway.ts';
import { callOf, PLAIN, TEST_TIMEOUT_MS } from '../support/pair.ts';
import { startPostgres, WITHOUT_POSTGRES } from '../support/postgres.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startRedis, WITHOUT_REDIS } from '../support/redis.ts';

setDefaultTimeout(TEST_TIMEOUT_MS * 2);

const DEPLOY = resolve(import.meta.dir, '../../deploy');

interface Service {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
  readonly command?: readonly string[];
  readonly stop_grace_period?: string;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}
const compose = Bun.YAML.parse(readFileSync(join(DEPLOY, 'compose.yaml'), 'utf8')) as Compose;
const { gateway: service, valkey } = compose.services as { gateway: Service; valkey: Service };
const PROMETHEUS = Bun.which('prometheus');
const WITHOUT = WITHOUT_POSTGRES ?? WITHOUT_REDIS;
const folder = mkdtempSync(join(tmpdir(), 'bve-compose-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('what a service mounts, and the secrets it reads, are there; every image has a version', () => {
  for (const [name, { image, volumes = [], secrets = [] }] of Object.entries(compose.services)) {
    if (name !== 'gateway') expect(image).toMatch(/:v?\d+\.\d+/);
    for (const volume of volumes) {
      const [source] = volume.split(':');
      expect([
        source,
        source!.startsWith('.') ? existsSync(join(DEPLOY, source!)) : source! in compose.volumes,
      ]).toEqual([source, true]);
    }
    for (const secret of secrets) expect(compose.secrets).toHaveProperty(secret);
  }
  const graceS = Number.parseInt(service.stop_grace_period!, 10);
  const { DRAIN_TIMEOUT_MS, READY_GRACE_MS } = service.environment!;
  expect(graceS * 1000).toBeGreaterThan(Number(DRAIN_TIMEOUT_MS) + Number(READY_GRACE_MS));
});

describe.skipIf(WITHOUT !== null)('started as it says', () => {
  test('the gateway serves on Postgres and Valkey with secrets from files, and Prometheus reads it and its rules', async () => {
    await using postgres = await startPostgres();
    await using redis = await startRedis({ args: valkey.command!.slice(1) });
    const mock = startMock({ port: 0 });
    const secretFile = (name: string, text: string) => {
      const path = join(folder, name);
      writeFileSync(path, text);
      return path;
    };
    const metricsPort = freePort();
    const secrets: Record<string, string> = {
      '/run/secrets/fuelix-key': secretFile('fuelix-key', 'fx-the-real-key\n'),
      '/run/secrets/pepper': secretFile('pepper', 'a-pepper-of-the-test-0123456789\n'),
      '/run/secrets/admin-key': secretFile('admin-key', 'admin-key-for-tests-0123456789\n'),
      '/run/secrets/database-url': secretFile('database-url', `${postgres.url}?sslmode=disable\n`),
      '/data': folder,
      'redis://valkey:6379': redis.url,
      '9464': String(metricsPort),
    };
    const env = Object.fromEntries(
      Object.entries(service.environment!).map(([name, value]) => [name, secrets[value] ?? value]),
    );
    // What the tests set by themselves, and compose by files.
    const gateway = await startGatewayProcess({
      upstreamUrl: mock.url,
      env: { ...env, FUELIX_API_KEY: '', API_KEY_PEPPER: '' },
    });
    for (let i = 0; i < 5; i++) {
      expect((await rawRequest(gateway.port, callOf(gateway.key, { body: PLAIN }))).status).toBe(200);
    }
    const config = (await adminCall(gateway, '/config')).json;
    expect([config.workers.value, config.redis_url.value]).toEqual([2, redis.url]);

    if (PROMETHEUS === null) console.log('skipped: prometheus is not installed (Debian: prometheus)');
    else {
      const text = readFileSync(join(DEPLOY, 'compose/prometheus.yml'), 'utf8')
        .replace('gateway:9464', `127.0.0.1:${metricsPort}`)
        .replace('15s', '200ms')
        .replace('bve.rules.yml', join(DEPLOY, 'prometheus/bve.rules.yml'));
      writeFileSync(join(folder, 'prometheus.yml'), text);
      const address = `127.0.0.1:${freePort()}`;
      const child = Bun.spawn(
        [
          PROMETHEUS,
          `--config.file=${folder}/prometheus.yml`,
          `--storage.tsdb.path=${folder}/tsdb`,
          `--web.listen-address=${address}`,
        ],
        { stdout: 'ignore', stderr: 'ignore' },
      );
      const ask = async (path: string) => {
        const answer = await fetch(`http://${address}/api/v1/${path}`).catch(() => null);
        // It is not ready at once.
        return answer?.ok ? answer.json() : null;
      };
      await eventually(async () => {
        const answer = (await ask('query?query=sum(bve_requests_total)')) as {
          data?: { result: { value: [number, string] }[] };
        } | null;
        return Number(answer?.data?.result[0]?.value[1]) >= 5;
      });
      const rules = (await ask('rules')) as { data: { groups: { rules: unknown[] }[] } };
      expect(rules.data.groups[0]!.rules.length).toBeGreaterThan(3);
      child.kill('SIGTERM');
      await child.exited;
    }
    await gateway.stop();
    await mock.stop();
  });
});
