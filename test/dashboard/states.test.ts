/** What the pages show when there is nothing, too much, an error, or no gateway any more. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import type { Browser } from 'playwright-core';
import { launchBrowser, type OpenPage, openPage, type PageOptions, WITHOUT_BROWSER } from './browser.ts';
import { ADMIN_KEY, FakeGateway, type FakeOptions } from './fake-gateway.ts';

/** A browser says so on its console when a server refuses, is stopped, or breaks off. */
const NETWORK_ERRORS = /Failed to load resource|net::ERR/;

describe.skipIf(WITHOUT_BROWSER !== null)('the state of the gateway', () => {
  let browser: Browser;
  const opened: (OpenPage | FakeGateway)[] = [];
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterEach(async () => {
    for (const one of opened.splice(0).reverse()) await ('close' in one ? one.close() : one.stop());
  });
  afterAll(() => browser?.close());

  function fakeGateway(options: FakeOptions = {}): FakeGateway {
    const fake = new FakeGateway(options);
    opened.push(fake);
    return fake;
  }
  async function open(fake: FakeGateway, path: string, options: PageOptions = {}) {
    const one = await openPage(browser, fake.url + path, {
      adminKey: ADMIN_KEY,
      expectedErrors: NETWORK_ERRORS,
      ...options,
    });
    opened.push(one);
    return one;
  }
  const signedOut = { adminKey: undefined as unknown as string };

  describe('signing in', () => {
    test('says what is wrong with the key, and takes the right one', async () => {
      const fake = fakeGateway();
      const { page, problems } = await openPage(browser, `${fake.url}/dashboard/keys`, {
        expectedErrors: NETWORK_ERRORS,
      });
      const field = page.getByLabel('Admin key');
      await field.fill('wrong');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('This is not the admin key').waitFor();
      await field.fill(ADMIN_KEY);
      await field.press('Enter');
      await page.getByRole('heading', { name: 'Keys' }).waitFor();
      expect(await page.evaluate('Object.keys(localStorage).length + document.cookie.length')).toBe(0);
      expect(await page.evaluate(`sessionStorage.getItem('bve-admin-key')`)).toBe(ADMIN_KEY);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await field.waitFor();
      expect(await page.evaluate('sessionStorage.length')).toBe(0);
      expect(problems).toEqual([]);
      await page.context().close();
    });

    test('says that the admin API is off', async () => {
      const fake = fakeGateway();
      fake.adminKey = null;
      const { page } = await open(fake, '/dashboard', signedOut);
      await page.getByLabel('Admin key').fill('any');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByText('Set ADMIN_API_KEY and restart it').waitFor();
    });

    test('is asked for again when the key was changed', async () => {
      const fake = fakeGateway();
      const { page, problems } = await open(fake, '/dashboard/settings');
      await page.getByText('FUELIX_BASE_URL').waitFor();
      fake.adminKey = 'another';
      await page.getByRole('link', { name: 'Keys' }).click();
      await page.getByText('no longer accepts this admin key').waitFor();
      expect(await page.evaluate('sessionStorage.length')).toBe(0);
      expect(problems).toEqual([]);
    });
  });

  describe('with nothing in it', () => {
    test('each page says so and what to do next', async () => {
      const fake = fakeGateway({ keys: 0, requests: 0 });
      const { page, problems } = await open(fake, '/dashboard');
      await page.getByText('No request has finished yet').waitFor();
      for (const [link, text] of [
        ['Keys', 'There are no keys yet'],
        ['Usage', 'Nothing was used in this time'],
        ['Requests', 'No requests yet'],
      ]) {
        await page.getByRole('link', { name: link!, exact: true }).click();
        await page.getByText(text!).waitFor();
      }
      await page.getByRole('link', { name: 'Keys', exact: true }).click();
      await page.getByRole('button', { name: 'Create the first key' }).click();
      await page.getByRole('dialog').waitFor();
      expect(problems).toEqual([]);
    });

    test('a filter that leaves nothing can be removed', async () => {
      const { page } = await open(fakeGateway(), '/dashboard/requests?model=nothing&finish=error');
      await page.getByText('No request matches').waitFor();
      await page.getByRole('button', { name: 'Remove all filters' }).click();
      await page.getByRole('row').nth(5).waitFor();
      expect(new URL(page.url()).search).toBe('');
    });

    test('a key, a request and a page that do not exist are said not to', async () => {
      const fake = fakeGateway();
      const { page } = await open(fake, '/dashboard/keys/no-such-key');
      await page.getByText('No API key has this id').waitFor();
      await page.goto(`${fake.url}/dashboard/request?request_id=nothing`);
      await page.getByText('There is no record of this request').waitFor();
      await page.goto(`${fake.url}/dashboard/nothing/at/all`);
      await page.getByText('There is no such page').waitFor();
    });
  });

  describe('that fails', () => {
    test('is said with its own message, and each page goes on by itself', async () => {
      const fake = fakeGateway();
      fake.failure = { status: 503, code: 'overloaded', message: 'The database cannot be reached' };
      const { page, problems } = await open(fake, '/dashboard/usage');
      await page.getByText('The database cannot be reached').waitFor();
      fake.failure = null;
      await page.getByRole('heading', { name: 'By model' }).waitFor();
      expect(problems).toEqual([]);
    });

    test('leaves what was there, and says that it is old', async () => {
      const fake = fakeGateway();
      const { page } = await open(fake, `/dashboard/keys/${fake.keys[0]!.id}`);
      await page.getByText('Last requests').waitFor();
      fake.failure = { status: 500, code: 'internal_error', message: 'Internal error' };
      await page.getByText('This could not be renewed').first().waitFor({ timeout: 25_000 });
      expect(await page.getByText('Last requests').isVisible()).toBe(true);
    }, 40_000);

    test('refuses a change with its message, and nothing typed is lost', async () => {
      const fake = fakeGateway();
      const { page } = await open(fake, '/dashboard/keys');
      await page.getByRole('button', { name: 'Create key' }).click();
      await page.getByRole('textbox', { name: 'Name' }).fill('alice');
      fake.failure = { status: 400, code: 'invalid_request', message: "Invalid value for 'name'" };
      await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
      await page.getByText("Invalid value for 'name'").waitFor();
      expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('alice');
      fake.failure = null;
      await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
      await page.getByText('This is the only time the key is shown').waitFor();
    });

    test('has no reference without a document, and says so', async () => {
      const fake = fakeGateway();
      fake.openapi = null;
      const { page } = await open(fake, '/docs', signedOut);
      await page.getByText('Not found').waitFor();
      fake.openapi = 'not a document';
      await page.reload();
      await page.getByText('is not an OpenAPI document').waitFor();
    });
  });

  describe('that is restarted', () => {
    test('is said to be away on every page, what was there stays, and all goes on when it is back', async () => {
      const fake = fakeGateway({ liveRequestsPerS: 20 });
      const { page, problems } = await open(fake, '/dashboard');
      await page.getByText('live', { exact: true }).waitFor();
      await page.getByRole('row').nth(6).waitFor();
      await fake.stop();
      await page.getByText('The gateway does not answer').waitFor();
      await page.getByText('connecting again').waitFor();
      expect(await page.getByText('Errors by code').isVisible()).toBe(true);
      // A page that has nothing yet says so, and fills itself later.
      await page.getByRole('link', { name: 'Usage', exact: true }).click();
      await page.getByRole('heading', { name: 'Usage' }).waitFor();
      await page.getByText('It is asked again until it does').waitFor();
      fake.start();
      await page.getByRole('heading', { name: 'By model' }).waitFor({ timeout: 20_000 });
      await page.getByText('The gateway does not answer').waitFor({ state: 'hidden' });
      await page.getByRole('link', { name: 'Live', exact: true }).click();
      await page.getByText('live', { exact: true }).waitFor({ timeout: 20_000 });
      expect(problems).toEqual([]);
    }, 60_000);

    test('can be asked at once', async () => {
      const fake = fakeGateway();
      const { page } = await open(fake, '/dashboard/requests');
      await page.getByRole('row').nth(5).waitFor();
      await fake.stop();
      await page.getByRole('button', { name: 'Refresh' }).click();
      await page.getByText('The gateway does not answer').first().waitFor();
      fake.start();
      await page.getByRole('button', { name: 'Try now' }).click();
      await page.getByRole('row').nth(5).waitFor();
    });
  });

  describe('that hangs', () => {
    test('is noticed by the live page, whose numbers are said to be old', async () => {
      const fake = fakeGateway();
      const { page, problems } = await open(fake, '/dashboard');
      await page.getByText('live', { exact: true }).waitFor();
      fake.hanging = true;
      await page.getByText(/numbers as of .* connecting again/).waitFor();
      await page.getByText('The gateway does not answer').waitFor();
      fake.hanging = false;
      await page.getByRole('button', { name: 'Try now' }).click();
      await page.getByText('live', { exact: true }).waitFor({ timeout: 20_000 });
      await page.getByText('The gateway does not answer').waitFor({ state: 'hidden' });
      expect(problems).toEqual([]);
    }, 60_000);
  });

  describe('with very much in it', () => {
    test('ten thousand keys are searched, sorted and scrolled without waiting', async () => {
      const fake = fakeGateway({ keys: 10_000, requests: 0 });
      const { page, problems } = await open(fake, '/dashboard/keys');
      await page.getByText('10,000', { exact: true }).waitFor();
      const last = fake.keys.at(-1)!.name;
      const drawn = await page.getByRole('row').count();
      expect(drawn).toBeLessThan(80);
      await page.getByRole('group', { name: 'Keys' }).press('End');
      await page.getByRole('link', { name: last, exact: true }).waitFor();
      expect(await page.getByRole('row').count()).toBeLessThan(80);
      await page.getByRole('searchbox').fill(last);
      await page.getByText(last, { exact: true }).waitFor();
      await page.getByRole('searchbox').fill('');
      // Slowly enough for each letter to be searched by itself: none of them may be lost.
      await page.getByRole('searchbox').pressSequentially(last.slice(0, 12), { delay: 130 });
      await page.waitForURL((url) => url.searchParams.get('q') === last.slice(0, 12));
      expect(await page.getByRole('searchbox').inputValue()).toBe(last.slice(0, 12));
      await page.getByRole('searchbox').fill('');
      await page.getByRole('button', { name: 'Name' }).click();
      await page.waitForURL(/sort=name/);
      expect(await longestTask(page)).toBeLessThan(400);
      expect(problems).toEqual([]);
    }, 60_000);

    test('a hundred thousand requests are scrolled through page by page', async () => {
      const fake = fakeGateway({ keys: 100, requests: 100_000 });
      const { page, problems } = await open(fake, '/dashboard/requests');
      await page.getByRole('row').nth(5).waitFor();
      const table = page.getByRole('group', { name: 'Requests' });
      for (let pages = 1; pages <= 10; pages++) {
        await table.press('End');
        await page
          .getByRole('table')
          .and(page.locator(`[aria-rowcount="${pages * 200 + 201}"]`))
          .waitFor();
      }
      expect(await page.getByRole('row').count()).toBeLessThan(80);
      expect(fake.calls.filter((call) => call === 'GET /admin/requests').length).toBeGreaterThanOrEqual(10);
      expect(problems).toEqual([]);
    }, 60_000);
  });
});

/** The longest time for which the page could not answer, milliseconds, as the browser has noted it. */
function longestTask(page: OpenPage['page']): Promise<number> {
  return page.evaluate(`new Promise((resolve) => {
    const observer = new PerformanceObserver(() => {});
    observer.observe({ type: 'longtask', buffered: true });
    setTimeout(() => {
      resolve(Math.max(0, ...observer.takeRecords().map((entry) => entry.duration)));
    }, 50);
  })`);
}
