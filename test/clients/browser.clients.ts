/** The packages that run in a browser, bundled, in Chromium, on a page of another origin: their users see what those of Bun see. */
import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { launchBrowser, WITHOUT_BROWSER } from '../dashboard/browser.ts';
import { pair } from '../support/pair.ts';
import type { Access, Outcome } from './cases/case.ts';
import { endpointsOf, RUNS, suiteRunner, versionOf, writeRuns } from './harness.ts';

const bench = pair();
setDefaultTimeout(120_000);
afterAll(writeRuns);

declare const runSuite: (suite: string, access: Access) => Promise<Outcome[]>;

/** Errors of the network have names of the platform; those of the API do not. */
function comparable({ name, value, error }: Outcome): unknown {
  const ofNetwork = error !== undefined && error.status === undefined;
  return JSON.parse(
    JSON.stringify({ name, value, error: ofNetwork ? 'network' : error && { class: error.status } }, (key, part) =>
      key === 'body_sha256' || key === 'body_bytes' ? undefined : part,
    ),
  );
}

for (const [suite, client] of [
  ['openai', 'openai'],
  ['anthropic', '@anthropic-ai/sdk'],
] as const) {
  test.if(WITHOUT_BROWSER === null)(`${client} in Chromium, from another origin`, async () => {
    const built = await Bun.build({ entrypoints: [join(import.meta.dir, 'browser-page.ts')], target: 'browser' });
    const script = await built.outputs[0]!.text();
    using page = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      fetch: ({ url }) =>
        url.endsWith('/page.js')
          ? new Response(script, { headers: { 'content-type': 'text/javascript' } })
          : new Response('<!doctype html><script src="/page.js"></script>', {
              headers: { 'content-type': 'text/html' },
            }),
    });
    const access = { baseUrl: `${bench.gateway.url}/v1`, apiKey: bench.gateway.key };
    const expected = await (await suiteRunner('bun', suite))(access);
    bench.mock.reset();
    const browser = await launchBrowser();
    try {
      const tab = await browser.newPage();
      await tab.goto(page.url.href);
      const seen = await tab.evaluate(([name, to]) => runSuite(name, to), [suite, access] as const);
      expect(seen.map(comparable)).toEqual(expected.map(comparable));
      const runsOn = `Chromium ${browser.version().split('.')[0]}`;
      RUNS.push({
        client,
        version: versionOf(client),
        runsOn,
        cases: seen.map(({ name }) => name),
        endpoints: endpointsOf(bench),
      });
    } finally {
      await browser.close();
    }
  });
}
