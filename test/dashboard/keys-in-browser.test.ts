/** All that can be done with keys, in a browser, against the gateway itself. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Browser, Page } from 'playwright-core';
import { admin } from '../admin/admin-client.ts';
import { eventually } from '../support/eventually.ts';
import { launchBrowser, type OpenPage, openPage, WITHOUT_BROWSER } from './browser.ts';
import { ADMIN_KEY, type RealGateway, startRealGateway } from './real-gateway.ts';

describe.skipIf(WITHOUT_BROWSER !== null)('keys in the dashboard', () => {
  let browser: Browser;
  let real: RealGateway;
  let opened: OpenPage;
  let page: Page;
  beforeAll(async () => {
    [browser, real] = await Promise.all([launchBrowser(), startRealGateway()]);
    opened = await openPage(browser, `${real.gateway.url}/dashboard/keys`, { adminKey: ADMIN_KEY });
    page = opened.page;
  });
  afterAll(async () => {
    expect(opened?.problems).toEqual([]);
    await browser?.close();
    await real?.stop();
  });

  let secret = '';
  const keyNamed = async (name: string) => {
    const keys = (await admin(real.gateway, '/api-keys')) as { id: string; name: string }[];
    return keys.find((key) => key.name === name)!;
  };
  const dialog = () => page.getByRole('dialog');
  const clipboard = () => page.evaluate('navigator.clipboard.readText()') as Promise<string>;

  test('one is created with limits, models and tags, and its secret shown once', async () => {
    await page.keyboard.press('n');
    await page.getByRole('textbox', { name: 'Name' }).fill('alice');
    await page.getByLabel('Requests per minute').fill('');
    await page.getByLabel('Tokens per month').fill('1000000');
    await dialog().getByText('Models, endpoints, tags').click();
    await page.getByLabel('Allowed models').fill('gpt-4o\nvendor/model');
    await page.getByLabel('Tags').fill('team=search');
    await dialog().getByRole('checkbox', { name: 'all' }).uncheck();
    await dialog().getByRole('checkbox', { name: 'chat' }).check();
    await dialog().getByRole('checkbox', { name: 'models' }).check();
    await dialog().getByRole('button', { name: 'Create key' }).click();
    await page.getByText('This is the only time the key is shown').waitFor();
    secret = (await dialog().locator('.secret code').textContent())!;
    expect(secret).toMatch(/^sk-bve-[0-9a-f]{64}$/);

    await dialog().getByRole('button', { name: 'Copy key' }).click();
    await dialog().getByRole('button', { name: 'Copied', exact: true }).waitFor();
    expect(await clipboard()).toBe(secret);
    for (const client of ['OpenAI SDK', 'Anthropic SDK', 'Claude Code', 'curl']) {
      await dialog().getByText(client, { exact: true }).click();
      const lines = await dialog().locator('pre').first().textContent();
      expect(lines).toContain(secret);
      expect(lines).toContain(real.gateway.url);
    }
    // What is shown only once is not lost by a slip.
    await page.keyboard.press('Escape');
    expect(await dialog().isVisible()).toBe(true);
    await dialog().getByRole('button', { name: 'I have copied it' }).click();
    await dialog().waitFor({ state: 'hidden' });
    expect(await page.content()).not.toContain(secret);

    expect(await admin(real.gateway, `/api-keys/${(await keyNamed('alice')).id}`)).toMatchObject({
      rpm_limit: null,
      rpd_limit: 10_000,
      monthly_token_limit: 1_000_000,
      allowed_models: ['gpt-4o', 'vendor/model'],
      allowed_endpoints: ['chat', 'models'],
      tags: { team: 'search' },
      inject_stream_usage: null,
      on_leave: null,
    });
    expect(await real.chat(secret)).toBe(200);
  }, 30_000);

  test('a name that is refused is said to be, by the form and by the gateway', async () => {
    await page.getByRole('button', { name: 'Create key' }).click();
    await dialog().getByRole('button', { name: 'Create key' }).click();
    await page.getByText('The key needs a name').waitFor();
    await page.getByRole('textbox', { name: 'Name' }).fill('x');
    await page.getByLabel('Requests per day').fill('ten');
    await dialog().getByRole('button', { name: 'Create key' }).click();
    await page.getByText('a whole number from 1 on').waitFor();
    await page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'hidden' });
  });

  test('they are searched, and the search is in the address', async () => {
    // While a dialog is closing the key does nothing.
    await eventually(async () => {
      await page.keyboard.press('/');
      return page.evaluate("document.activeElement.type === 'search'");
    });
    await page.keyboard.type('team=search');
    await page.waitForURL(/q=team/);
    await page.getByRole('link', { name: 'alice' }).waitFor();
    await page.getByRole('link', { name: 'test', exact: true }).waitFor({ state: 'hidden' });
    await page.reload();
    expect(await page.getByRole('searchbox').inputValue()).toBe('team=search');
    await page.getByRole('searchbox').press('Escape');
    await page.getByRole('link', { name: 'test', exact: true }).waitFor();
  });

  test('they are sorted by name and filtered by state', async () => {
    await page.getByRole('button', { name: 'Name' }).click();
    await page.waitForURL(/sort=name/);
    await page.getByRole('columnheader', { name: 'Name' }).and(page.locator('[aria-sort=ascending]')).waitFor();
    await page.getByRole('radio', { name: /revoked/ }).check();
    await page.getByText('No key matches').waitFor();
    await page.getByRole('button', { name: 'Show all keys' }).click();
    await page.getByRole('link', { name: 'alice' }).waitFor();
  });

  test('arrow keys go from row to row, Enter opens one', async () => {
    await page.getByRole('group', { name: 'Keys' }).focus();
    await page.keyboard.press('ArrowDown');
    await page.locator('tr:focus-within a', { hasText: 'alice' }).waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /alice/ }).waitFor();
  });

  test('a key’s page shows its limits, days, months, settings and requests', async () => {
    for (const text of ['Tokens per month', 'Last 30 days', 'Months', 'vendor/model', 'team=search']) {
      await page.getByText(text).first().waitFor();
    }
    await page.getByRole('link', { name: 'All requests of this key' }).waitFor();
    await page.getByRole('row').filter({ hasText: 'gpt-4o' }).first().waitFor();
    await page.getByText('requests', { exact: true }).click();
    await page.getByRole('img', { name: /^requests of the last 30 days/ }).waitFor();
  });

  test('it is edited: only what was changed is sent, and holds at once', async () => {
    const sent = page.waitForRequest((request) => request.method() === 'PATCH');
    await page.getByRole('button', { name: 'Edit' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('alice 2');
    await page.getByLabel('Requests at once').fill('3');
    await dialog().getByRole('button', { name: 'Save' }).click();
    expect((await sent).postDataJSON()).toEqual({ name: 'alice 2', max_concurrent: 3 });
    await page.getByText('Saved. It holds from the next request on.').waitFor();
    await page.getByRole('heading', { name: /alice 2/ }).waitFor();
    expect(await admin(real.gateway, `/api-keys/${(await keyNamed('alice 2')).id}`)).toMatchObject({
      max_concurrent: 3,
    });
  });

  test('it is suspended and activated', async () => {
    await page.getByRole('button', { name: 'Suspend' }).click();
    await dialog().getByRole('button', { name: 'Suspend' }).click();
    await page.getByText('suspended', { exact: true }).waitFor();
    expect(await real.chat(secret)).toBe(403);
    await page.getByRole('button', { name: 'Activate' }).click();
    await page.getByText('active', { exact: true }).waitFor();
    expect(await real.chat(secret)).toBe(200);
  });

  test('it is rotated: with a grace both secrets work, without only the new one', async () => {
    await page.getByRole('button', { name: 'Rotate' }).click();
    await dialog().getByLabel('Grace').selectOption('3600');
    await dialog().getByRole('button', { name: 'Rotate' }).click();
    await page.getByText('The old one works for another 1 hour').waitFor();
    const second = (await dialog().locator('.secret code').textContent())!;
    await dialog().getByRole('button', { name: 'I have copied it' }).click();
    expect([await real.chat(secret), await real.chat(second)]).toEqual([200, 200]);

    await page.getByRole('button', { name: 'Rotate' }).click();
    await dialog().getByLabel('Grace').selectOption('0');
    await dialog().getByRole('button', { name: 'Rotate' }).click();
    await page.getByText('The old one no longer works').waitFor();
    const third = (await dialog().locator('.secret code').textContent())!;
    await dialog().getByRole('button', { name: 'I have copied it' }).click();
    expect([await real.chat(secret), await real.chat(second), await real.chat(third)]).toEqual([401, 401, 200]);
    secret = third;
  });

  test('it is revoked after its name was typed, then deleted', async () => {
    await page.getByRole('button', { name: 'Revoke' }).click();
    const revoke = dialog().getByRole('button', { name: 'Revoke' });
    expect(await revoke.isDisabled()).toBe(true);
    await dialog().getByRole('textbox').fill('alice 2');
    await revoke.click();
    await page.getByText('revoked', { exact: true }).waitFor();
    expect(await real.chat(secret)).toBe(403);

    await page.getByRole('button', { name: 'Delete' }).click();
    await dialog().getByRole('button', { name: 'Delete' }).click();
    await page.getByText('alice 2 is deleted').waitFor();
    await page.waitForURL(/\/dashboard\/keys$/);
    expect(await page.getByRole('link', { name: /alice/ }).count()).toBe(0);
    expect(await keyNamed('alice 2')).toBeUndefined();
  });
});
