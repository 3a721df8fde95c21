/** Two gateways behind a balancer, restarted in turn under load: no client notices. */
import { expect, setDefaultTimeout, test } from 'bun:test';
import { startMock } from '../../src/mock/server.ts';
import { type GatewayProcess, startGatewayProcess } from '../support/gateway.ts';
import { HAS_HAPROXY, startHaproxy } from '../support/haproxy.ts';
import { callOf, PLAIN, STREAM, textOf } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';

setDefaultTimeout(120_000);
if (!HAS_HAPROXY) console.log('skipped: rolling restarts need haproxy (Debian package haproxy)');

const RESTARTS = 6;
const CHECK_EVERY_MS = 100;
/** Several looks at /ready. */
const GRACE_MS = 800;
const CLIENTS = 12;

test.skipIf(!HAS_HAPROXY)(`${RESTARTS} rolling restarts lose no request and no stream`, async () => {
  await using stack = new AsyncDisposableStack();
  const mock = startMock({ port: 0, requestsMax: 10 });
  stack.defer(() => mock.stop());
  mock.script((request) => (request.text.includes('"stream":true') ? { events: 40, pace_ms: 10 } : {}));

  const start = (env: Record<string, string>) =>
    startGatewayProcess({
      upstreamUrl: mock.url,
      env: { LOG_LEVEL: 'warn', READY_GRACE_MS: String(GRACE_MS), ...env },
    });
  const gateways: GatewayProcess[] = [await start({})];
  const { databaseUrl, key } = gateways[0]!;
  gateways.push(await start({ DATABASE_URL: databaseUrl }));
  stack.defer(async () => {
    for (const gateway of gateways.reverse()) await gateway.stop();
  });
  const haproxy = await startHaproxy(
    gateways.map((gateway) => gateway.port),
    CHECK_EVERY_MS,
  );
  stack.defer(() => haproxy.stop());

  let isRolling = true;
  const seen: Record<string, number> = {};
  const client = async (n: number) => {
    const body = n % 2 === 0 ? STREAM : PLAIN;
    while (isRolling) {
      const answer = await rawRequest(haproxy.port, callOf(key, { body }));
      const isWhole = answer.complete && (body === PLAIN || textOf(answer).endsWith('data: [DONE]\n\n'));
      const how = `${answer.status}${isWhole ? '' : ' not whole'}`;
      seen[how] = (seen[how] ?? 0) + 1;
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, n) => client(n));
  for (let n = 0; n < RESTARTS; n++) {
    const which = n % gateways.length;
    const old = gateways[which]!;
    old.signal('SIGTERM');
    expect(await old.exited).toBe(0);
    gateways[which] = await start({ DATABASE_URL: databaseUrl, PORT: String(old.port) });
    await haproxy.until(which, 'UP');
  }
  isRolling = false;
  await Promise.all(clients);
  expect(Object.keys(seen)).toEqual(['200']);
  expect(seen['200']).toBeGreaterThan(1000);
});
