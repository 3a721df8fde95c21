/** Run by `workers-rolling.test.ts` in a network namespace: load, two rolling restarts, and what became of each request. */
import { startMock } from '../../src/mock/server.ts';
import { startGatewayProcess } from '../support/gateway.ts';
import { callOf, PLAIN, STREAM } from '../support/pair.ts';
import { rawRequest } from '../support/raw-client.ts';
import { startRedis } from '../support/redis.ts';

export interface RollingReport {
  readonly rolls: number;
  readonly streams: number;
  readonly requests: number;
  readonly lost: number;
  readonly refused: number;
  readonly reset: number;
  readonly warned: boolean;
}

const STREAM_MS = Number(process.env.ROLLING_STREAM_S ?? 3) * 1000;
const EVENTS = 30;
const CLIENTS = 16;

const mock = startMock({ port: 0, requestsMax: 10 });
const redis = await startRedis();
const gateway = await startGatewayProcess({
  upstreamUrl: mock.url,
  env: {
    WORKERS: '2',
    REDIS_URL: redis.url,
    REDIS_TIMEOUT_MS: '5000',
    DRAIN_TIMEOUT_MS: String(STREAM_MS + 20_000),
    LOG_SAMPLE: '0',
  },
});

let isOver = false;
const seen = { streams: 0, requests: 0, lost: 0, refused: 0, reset: 0 };
const streamed = async () => {
  while (!isOver) {
    seen.streams++;
    const body = { ...STREAM, mock: { events: EVENTS, pace_ms: STREAM_MS / EVENTS } };
    const answer = await rawRequest(gateway.port, callOf(gateway.key, { body })).catch(() => null);
    if (answer === null) seen.reset++;
    else if (answer.status !== 200) seen.refused++;
    else if (!answer.complete) seen.lost++;
  }
};
/** On kept connections and on new ones. */
const short = async (i: number) => {
  while (!isOver) {
    seen.requests++;
    const answer =
      i % 2 === 0
        ? await rawRequest(gateway.port, callOf(gateway.key, { body: PLAIN })).then(
            ({ status }) => status,
            () => null,
          )
        : await fetch(`${gateway.url}/v1/chat/completions`, {
            method: 'POST',
            headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json' },
            body: JSON.stringify(PLAIN),
          }).then(
            async (response) => {
              await response.arrayBuffer();
              return response.status;
            },
            () => null,
          );
    if (answer === null) seen.reset++;
    else if (answer !== 200) seen.refused++;
    await Bun.sleep(5);
  }
};
const load = [...Array.from({ length: CLIENTS }, streamed), ...Array.from({ length: 8 }, (_, i) => short(i))];
const replaced = () => gateway.logLines().filter(({ msg }) => msg === 'all workers are replaced').length;
for (let roll = 1; roll <= 2; roll++) {
  await Bun.sleep(STREAM_MS / 3);
  gateway.signal('SIGHUP');
  while (replaced() < roll) await Bun.sleep(20);
}
await Bun.sleep(STREAM_MS / 3);
isOver = true;
await Promise.all(load);
const warned = gateway.output().includes('tcp_migrate_req is 0');
const report: RollingReport = { rolls: replaced(), ...seen, warned };
await gateway.stop();
await redis[Symbol.asyncDispose]();
await mock.stop();
console.log(JSON.stringify(report));
process.exit(0);
