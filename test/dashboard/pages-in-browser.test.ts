/** Every other page, and what can be done on it, in a browser, against the gateway itself. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import type { Browser, Page } from 'playwright-core';
import { parseCsv } from '../../src/cli/csv.ts';
import { admin } from '../admin/admin-client.ts';
import { eventually } from '../support/eventually.ts';
import { FUELIX_KEY, PEPPER } from '../support/gateway.ts';
import { launchBrowser, type OpenPage, openPage, WITHOUT_BROWSER } from './browser.ts';
import { ADMIN_KEY, ANSWER, type RealGateway, startRealGateway } from './real-gateway.ts';

describe.skipIf(WITHOUT_BROWSER !== null)('the dashboard', () => {
  let browser: Browser;
  let real: RealGateway;
  let opened: OpenPage;
  let page: Page;
  let key: { id: string; key: string };
  beforeAll(async () => {
    [browser, real] = await Promise.all([launchBrowser(), startRealGateway()]);
    key = await real.gateway.createKey('--name', 'bob', '--unlimited');
    for (let i = 0; i < 8; i++) await real.chat(key.key);
    await real.chat(real.gateway.key, { model: 'claude-sonnet-4' });
    await real.chat(key.key, { model: 7 });
    // A refusal is what a browser reports on its console, whatever the page does about it.
    opened = await openPage(browser, `${real.gateway.url}/dashboard/usage`, {
      adminKey: ADMIN_KEY,
      expectedErrors: /Failed to load resource/,
    });
    page = opened.page;
  }, 30_000);
  afterAll(async () => {
    expect(opened?.problems).toEqual([]);
    await browser?.close();
    await real?.stop();
  });

  const open = (path: string) => page.goto(real.gateway.url + path);
  const has = async (path: string) => {
    const there = await real.has(path);
    if (!there) console.log(`skipped: this gateway has no ${path}`);
    return there;
  };

  test('usage: totals, splits and measures, all in the address', async () => {
    await page.getByRole('heading', { name: 'By model' }).waitFor();
    await page.getByRole('link', { name: 'claude-sonnet-4' }).waitFor();
    const summary = await admin(real.gateway, '/usage/summary?group_by=model');
    const tile = page.getByRole('region', { name: 'Totals' }).getByTitle(String(summary.total.requests)).first();
    await tile.waitFor();
    await page.getByLabel('Split by').selectOption('key');
    await page.getByRole('heading', { name: 'By key' }).waitFor();
    await page.getByRole('link', { name: 'bob' }).waitFor();
    await page.getByLabel('Show', { exact: true }).selectOption('requests');
    await page.getByRole('img', { name: /^Requests by day/ }).waitFor();
    await page.getByLabel('Range', { exact: true }).selectOption('12m');
    await page.getByRole('img', { name: /^Requests by month/ }).waitFor();
    expect(new URL(page.url()).search).toBe('?split=key&measure=requests&range=12m');
    await page.reload();
    await page.getByRole('img', { name: /^Requests by month/ }).waitFor();
    await page.getByLabel('Split by').selectOption('none');
    await page.getByRole('heading', { name: 'By month', exact: true }).waitFor();
  });

  test('usage: a range of its own and one key', async () => {
    const today = new Date().toISOString().slice(0, 10);
    await open(`/dashboard/usage?from=${today}&to=${today}&key_id=${key.id}`);
    await page.getByRole('heading', { name: 'By model' }).waitFor();
    expect(await page.getByLabel('Key', { exact: true }).inputValue()).toBe('bob');
    expect(await page.getByRole('link', { name: 'claude-sonnet-4' }).count()).toBe(0);
    await page.getByLabel('To', { exact: true }).fill('2030-01-01');
    await page.waitForURL(/to=2030-01-01/);
    await page.getByLabel('Key', { exact: true }).fill('');
    await page.getByRole('link', { name: 'claude-sonnet-4' }).waitFor();
  });

  test('usage: the CSV has the rows of the page', async () => {
    await open('/dashboard/usage?split=key');
    await page.getByRole('heading', { name: 'By key' }).waitFor();
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'CSV' }).click();
    const file = await download;
    expect(file.suggestedFilename()).toMatch(/^usage-.*-by-key\.csv$/);
    const rows = parseCsv(readFileSync((await file.path())!, 'utf8')).map(({ cells }) => cells);
    expect(rows[0]!.slice(0, 5)).toEqual(['day', 'key', 'key_name', 'requests', 'errors']);
    const bob = rows.find((cells) => cells[1] === key.id)!;
    expect(bob[2]).toBe('bob');
    const { total } = await admin(real.gateway, `/usage/summary?key_id=${key.id}`);
    expect(bob.slice(3).map(Number)).toEqual(Object.values(total));
  });

  test('requests: filtered by key, model and finish, one opened', async () => {
    await open('/dashboard/requests');
    await page.getByRole('row').filter({ hasText: 'claude-sonnet-4' }).waitFor();
    await page.getByLabel('Key', { exact: true }).fill('bob');
    await page.getByRole('row').filter({ hasText: 'claude-sonnet-4' }).waitFor({ state: 'hidden' });
    await page.getByLabel('Model', { exact: true }).fill('gpt-4o');
    await page.getByLabel('Model', { exact: true }).press('Enter');
    await page.getByLabel('Finish', { exact: true }).selectOption('complete');
    await page.getByLabel('Status', { exact: true }).selectOption('200');
    await page.waitForURL(/status=200/);
    await page.getByText('8 requests, no older ones').waitFor();
    await page.getByRole('row').nth(1).click();
    await page.getByText('First byte → last byte').waitFor();
    await page.getByText('reported by upstream').waitFor();
    await page.getByRole('button', { name: 'Copy record id' }).click();
    expect(String(await page.evaluate('navigator.clipboard.readText()'))).toMatch(/^[0-9a-f-]{36}$/);
    await page.goBack();
    await page.getByText('8 requests, no older ones').waitFor();
    await page.getByRole('button', { name: 'Clear' }).click();
    await page.getByRole('row').filter({ hasText: 'claude-sonnet-4' }).waitFor();
  });

  test('requests: found by their id', async () => {
    const [record] = await admin(real.gateway, '/requests?limit=1&model=claude-sonnet-4');
    await page.getByRole('searchbox').fill(record.requestId);
    await page.getByText('1 request, no older ones').waitFor();
  });

  test('playground: an answer arrives as text, events and numbers, in each API', async () => {
    await open('/dashboard/playground');
    const field = page.getByLabel('Client key');
    await field.fill('sk-bve-short');
    await page.getByText('sk-bve- and 64 hex digits').waitFor();
    await field.fill(key.key);
    await page.getByText(/models?, type to choose/).waitFor();
    await page.getByRole('combobox', { name: 'Model' }).fill('gpt-4o');
    for (const [api, marker] of [
      ['Chat completions', '[DONE]'],
      ['Responses', 'response.completed'],
      ['Messages', 'message_stop'],
    ] as const) {
      await page.getByRole('radio', { name: 'Text' }).check();
      await page.getByRole('radio', { name: api }).check();
      await page.getByRole('button', { name: 'Send' }).click();
      await page.getByText('Complete.').waitFor();
      await page.getByText(ANSWER).waitFor();
      await page.getByRole('radio', { name: 'Events' }).check();
      // `Complete.` may still be that of the answer before: the end is where it is only once all events are here.
      await eventually(async () => {
        await page.getByRole('group', { name: 'Events' }).press('End');
        return page.getByText(marker).first().isVisible();
      });
    }
    expect(await page.evaluate(`JSON.stringify([{ ...localStorage }, { ...sessionStorage }])`)).not.toContain(key.key);
    await page.getByRole('radio', { name: 'Code' }).check();
    await page.getByText('from anthropic import Anthropic').waitFor();
    expect(await page.content()).not.toContain(key.key);
    await page.getByRole('link', { name: 'See its record' }).click();
    await page.getByText('/v1/messages').waitFor();
  }, 40_000);

  test('playground: stopped in the middle it is a client that left, refused it says why', async () => {
    await open('/dashboard/playground');
    await page.getByLabel('Client key').fill(key.key);
    await page.getByRole('combobox', { name: 'Model' }).fill('gpt-4o');
    real.mock.script(() => ({ text: ANSWER.repeat(20), pace_ms: 50 }));
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('A gateway stands').first().waitFor();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByText('Stopped by you.').waitFor();
    real.mock.script(() => ({ status: 429, json: { error: { message: 'Upstream is busy', code: 'busy' } } }));
    await page.getByLabel('Prompt', { exact: true }).press('Control+Enter');
    await page.getByText('Upstream is busy').waitFor();
    real.mock.script(() => ({ text: ANSWER, pace_ms: 5 }));
    await page.getByRole('link', { name: 'See its record' }).waitFor();
    const isLeft = ({ finish }: { finish: string }) => finish === 'client_closed';
    expect(await eventually(async () => (await real.gateway.usage()).some(isLeft))).toBe(true);
  }, 30_000);

  test('connect: each client’s lines have this gateway’s address, and are copied', async () => {
    await open('/dashboard/connect');
    await page.getByLabel('Model in the examples').fill('my-model');
    await page.getByRole('link', { name: 'Codex' }).click();
    await page.getByText('model = "my-model"').waitFor();
    await page.getByRole('button', { name: 'Copy TOML' }).click();
    expect(String(await page.evaluate('navigator.clipboard.readText()'))).toContain(
      `base_url = "${real.gateway.url}/v1"`,
    );
    expect(new URL(page.url()).search).toBe('?client=Codex');
  });

  test('settings: the configuration in effect, without a secret', async () => {
    await open('/dashboard/settings');
    await page.getByText('FUELIX_BASE_URL').waitFor();
    await page.getByText('yes', { exact: true }).waitFor();
    await page.getByLabel('Find an option').fill('admin');
    await page.getByText('FUELIX_BASE_URL').waitFor({ state: 'hidden' });
    await page.getByText('ADMIN_API_KEY').waitFor();
    const text = await page.content();
    for (const secret of [ADMIN_KEY, PEPPER, FUELIX_KEY]) expect(text).not.toContain(secret);
  });

  test('the theme is chosen and remembered', async () => {
    await page.getByRole('radio', { name: 'Dark' }).first().check();
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('dark');
    await page.reload();
    await page.getByText('FUELIX_BASE_URL').waitFor();
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('dark');
    await page.getByRole('radio', { name: 'As the system' }).first().check();
    expect(await page.evaluate('document.documentElement.dataset.theme')).toBe('light');
  });

  test('the keyboard goes everywhere, and can be told not to', async () => {
    for (const [keys, title] of [
      ['gk', 'Keys'],
      ['gu', 'Usage'],
      ['gr', 'Requests'],
      ['gp', 'Playground'],
      ['gc', 'Connect'],
      ['gs', 'Settings'],
    ]) {
      for (const one of keys!) await page.keyboard.press(one);
      await page.getByRole('heading', { name: title!, level: 1 }).waitFor();
    }
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByLabel('Single keys act as shortcuts').uncheck();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('k');
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Settings');
    await page.getByLabel('Single keys act as shortcuts').check();
  });

  test('live: plots and finished requests move, the list is filtered and paused', async () => {
    if (!(await has('/admin/live'))) return;
    await open('/dashboard');
    const load = setInterval(() => void real.chat(key.key), 100);
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByRole('img', { name: /^Requests per second: requests\/s [1-9]/ }).waitFor();
    await page.getByRole('row').filter({ hasText: 'bob' }).nth(5).waitFor();
    await page.getByLabel(/^Filter by key/).fill('nobody');
    await page.getByText('No request of the last ones matches').waitFor();
    await page.getByLabel(/^Filter by key/).fill('bob gpt');
    await page.getByRole('row').filter({ hasText: 'bob' }).nth(5).waitFor();
    await page.getByRole('heading', { name: 'Live' }).click();
    await page.keyboard.press('p');
    await page.getByText(/Paused\. [1-9]\d* new requests?/).waitFor();
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('Paused.').waitFor({ state: 'hidden' });
    clearInterval(load);
  }, 30_000);

  test('the API reference shows every operation of the document', async () => {
    if (!(await has('/openapi.json'))) return;
    await open('/docs');
    const { paths } = (await (await fetch(`${real.gateway.url}/openapi.json`)).json()) as { paths: object };
    await page
      .getByRole('link', { name: /chat\/completions/ })
      .first()
      .waitFor();
    const shown = new Set(await page.locator('.operation-path code').allTextContents());
    for (const path of Object.keys(paths)) expect(shown).toContain(path);
  });

  test('drain: after a word was typed, new requests are refused', async () => {
    await open('/dashboard/settings');
    await page.getByRole('button', { name: 'Drain' }).click();
    const drain = page.getByRole('dialog').getByRole('button', { name: 'Drain' });
    expect(await drain.isDisabled()).toBe(true);
    await page.getByRole('dialog').getByRole('textbox').fill('drain');
    await drain.click();
    await page.getByText('draining', { exact: true }).waitFor();
    expect(await real.chat(key.key)).toBe(503);
  });
});
