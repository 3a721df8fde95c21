/**
 * One of two targets fails in each way under a steady load. Short here; `bun run test:targets` is the long form (a minute for each
 * at 200 requests a second). What it measures is printed with TARGETS_SECONDS set.
 */
import { describe, expect, test } from 'bun:test';
import type { Scenario } from '../../src/mock/scenario.ts';
import { startPair } from '../support/pair.ts';
import { startTwoTargets, type TwoTargets } from '../support/two-targets.ts';

const SECONDS = Number(process.env.TARGETS_SECONDS ?? 1);
const PER_SECOND = Number(process.env.TARGETS_PER_SECOND ?? 60);
const MIXED_REQUESTS = process.env.TARGETS_SECONDS ? 10_000 : 1_000;
const RETURNS_WITHIN_MS = 5000;
/** For a target that never answers; on a busy machine a healthy one may take as long, so it is used for that alone. */
const HEAD_TIMEOUT_MS = 1000;

const error = { error: { message: 'no', type: 'x', code: 'y' } };
const quota = [
  ['x-quota-available', '0'],
  ['x-quota-reset', '2'],
] as const;

/** Requests at a steady pace, however long each takes, until told to stop. */
class Load {
  readonly #two: TwoTargets;
  readonly statuses: number[] = [];
  readonly #open = new Set<Promise<void>>();
  #isOn = true;

  constructor(two: TwoTargets) {
    this.#two = two;
    void this.#run();
  }

  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#open);
  }

  async #run(): Promise<void> {
    const startMs = performance.now();
    for (let sent = 0; this.#isOn; ) {
      const due = Math.floor(((performance.now() - startMs) * PER_SECOND) / 1000);
      for (; sent < due; sent++) this.#send(sent % 2 === 0);
      await Bun.sleep(2);
    }
  }

  #send(stream: boolean): void {
    const request = this.#two
      .chat({ stream })
      .then(async (answer) => {
        await answer.arrayBuffer();
        this.statuses.push(answer.status);
      })
      .catch(() => void this.statuses.push(0))
      .finally(() => this.#open.delete(request));
    this.#open.add(request);
  }
}

describe('one of two targets fails under a steady load', () => {
  test.each([
    ['refused', null, 0],
    ['429 with retry-after', { status: 429, headers: [['retry-after', '1']], json: error }, 0],
    ['quota 0', { headers: quota, text: 'hi' }, 0],
    ['401', { status: 401, json: error }, 0],
    ['502', { status: 502, json: error }, 0],
    ['503', { status: 503, json: error }, 0],
    ['504', { status: 504, json: error }, 0],
    // Not sent again by default: what was on its way before the target rests.
    ['reset before the head', { fault: { kind: 'refuse' } }, 20],
    ['never answers', { fault: { kind: 'hang' } }, (PER_SECOND * HEAD_TIMEOUT_MS) / 1000 + 20],
  ] as [string, Scenario | null, number][])(
    '%s',
    async (name, scenario, errorsMax) => {
      const headTimeout: Record<string, string> =
        name === 'never answers' ? { UPSTREAM_HEAD_TIMEOUT_MS: String(HEAD_TIMEOUT_MS) } : {};
      await using two = await startTwoTargets(headTimeout);
      const load = new Load(two);
      await Bun.sleep(500);
      const { good, bad } = two;
      if (scenario) bad.script(() => scenario);
      else {
        // As a process that ends: its connections are closed, then refused.
        bad.refuseConnections();
        bad.script(() => ({ fault: { kind: 'close_idle' } }));
      }
      const failsFrom = bad.requests.length;
      await Bun.sleep(SECONDS * 1000);
      const whileBad = bad.requests.length - failsFrom;
      bad.script(() => undefined);
      if (!scenario) bad.acceptConnections();
      const returnedAtMs = performance.now();
      let shareAfterMs = Number.POSITIVE_INFINITY;
      while (shareAfterMs > RETURNS_WITHIN_MS && performance.now() - returnedAtMs < RETURNS_WITHIN_MS) {
        const before = [good.requests.length, bad.requests.length] as const;
        await Bun.sleep(300);
        const [ofGood, ofBad] = [good.requests.length - before[0], bad.requests.length - before[1]];
        if (ofBad > 0.3 * (ofGood + ofBad)) shareAfterMs = performance.now() - returnedAtMs;
      }
      await load.stop();
      const errors = load.statuses.filter((status) => status !== 200);
      const requests = load.statuses.length;
      const extra = good.requests.length + bad.requests.length - requests;
      if (process.env.TARGETS_SECONDS)
        console.log(
          `${name}: ${requests} requests, ${errors.length} errors (${[...new Set(errors)]}), ${extra} extra, ${whileBad} to the bad target, its share after ${Math.round(shareAfterMs)} ms`,
        );
      expect(errors.length).toBeLessThanOrEqual(errorsMax);
      expect(extra).toBeLessThanOrEqual(Math.max(3, requests * 0.2));
      expect(shareAfterMs).toBeLessThanOrEqual(RETURNS_WITHIN_MS);
    },
    SECONDS * 1000 + 60_000,
  );
});

test('with one target every status reaches the client as it is, or as the error that stands for it', async () => {
  await using pair = await startPair({ requestsMax: 2 * MIXED_REQUESTS });
  const statuses = [200, 201, 400, 401, 402, 403, 404, 409, 418, 422, 429, 500, 502, 503, 504, 529];
  let left = MIXED_REQUESTS;
  const wrong: string[] = [];
  const worker = async () => {
    for (let at = --left; at >= 0; at = --left) {
      const status = statuses[at % statuses.length]!;
      const stream = at % 3 === 0;
      const body = { model: 'm', stream, messages: [], mock: { status, json: { at } } };
      const answer = await fetch(`${pair.gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${pair.gateway.key}` },
        body: JSON.stringify(body),
      });
      const text = await answer.text();
      const isTold = !stream && (status === 401 || status >= 500);
      const isRight = isTold
        ? answer.status === 502 && text.includes(`Upstream answered with status ${status}`)
        : answer.status === status && text === JSON.stringify({ at });
      if (!isRight) wrong.push(`${status} ${stream}: ${answer.status} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: 20 }, worker));
  expect(wrong).toEqual([]);
  expect(pair.mock.requests.length).toBe(MIXED_REQUESTS);
}, 120_000);
