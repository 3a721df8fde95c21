/**
 * The live page under 500 requests a second: what it keeps must stay as it is. `LIVE_MINUTES=10 bun test …` looks for longer
 * than a run of all tests can.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Browser, CDPSession } from 'playwright-core';
import { launchBrowser, openPage, WITHOUT_BROWSER } from './browser.ts';
import { ADMIN_KEY, FakeGateway } from './fake-gateway.ts';

const SECONDS = Number(process.env.LIVE_MINUTES ?? 0.2) * 60;
const SAMPLES = 8;
/** By then the list of requests is full. */
const WARM_UP_S = 8;
const REQUESTS_PER_S = 500;
/** Of a heap of some 8 MB; each sample is taken after a collection. */
const GROWTH_BYTES_MAX = 1_000_000;

describe.skipIf(WITHOUT_BROWSER !== null)('the live page', () => {
  let browser: Browser;
  let fake: FakeGateway;
  beforeAll(async () => {
    browser = await launchBrowser();
    fake = new FakeGateway({ keys: 500, requests: 0, liveRequestsPerS: REQUESTS_PER_S });
  });
  afterAll(async () => {
    await browser?.close();
    await fake?.stop();
  });

  test(
    `keeps its heap flat at ${REQUESTS_PER_S} requests a second`,
    async () => {
      const { page, context, problems } = await openPage(browser, `${fake.url}/dashboard`, { adminKey: ADMIN_KEY });
      await page.getByText('live', { exact: true }).waitFor();
      const session = await context.newCDPSession(page);
      await page.waitForTimeout(WARM_UP_S * 1000);
      const samples: HeapSample[] = [];
      for (let i = 0; i < SAMPLES; i++) {
        await page.waitForTimeout((SECONDS / SAMPLES) * 1000);
        samples.push(await sample(session));
      }
      await page.getByText('live', { exact: true }).waitFor();
      console.log(samples.map(({ bytes, nodes }) => `${(bytes / 1e6).toFixed(2)} MB, ${nodes} nodes`).join('; '));
      // The lowest of each half: a collection may leave something for the next.
      const half = SAMPLES / 2;
      const lowest = (of: readonly HeapSample[]) => Math.min(...of.map(({ bytes }) => bytes));
      expect(lowest(samples.slice(half)) - lowest(samples.slice(0, half))).toBeLessThan(GROWTH_BYTES_MAX);
      const nodes = samples.map((one) => one.nodes);
      expect(Math.max(...nodes.slice(half)) - Math.min(...nodes.slice(0, half))).toBeLessThan(1500);
      expect(problems).toEqual([]);
    },
    (SECONDS + 60) * 1000,
  );
});

interface HeapSample {
  readonly bytes: number;
  readonly nodes: number;
}

async function sample(session: CDPSession): Promise<HeapSample> {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  const { nodes } = await session.send('Memory.getDOMCounters');
  return { bytes: usedSize, nodes };
}
