import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import type { Browser, Page } from 'playwright-core';
import { axeViolations, launchBrowser, openPage, WITHOUT_BROWSER } from './browser.ts';
import { ADMIN_KEY, FakeGateway } from './fake-gateway.ts';

/** What a theme changes does not depend on the width, so the narrow ones are checked in one theme. */
const SIZES = [
  { width: 1440, height: 900, themes: ['light', 'dark'] },
  { width: 1024, height: 768, themes: [] },
  { width: 390, height: 844, themes: ['dark'] },
] as const;

/** Every page, and every dialog that can be opened on it. */
const VIEWS: readonly { name: string; url: (fake: FakeGateway) => string; act?: (page: Page) => Promise<void> }[] = [
  { name: 'Live', url: () => '/dashboard', act: (page) => page.getByText('Errors by code').waitFor() },
  { name: 'Keys', url: () => '/dashboard/keys', act: (page) => page.getByRole('row').nth(3).waitFor() },
  {
    name: 'Create key',
    url: () => '/dashboard/keys',
    act: async (page) => {
      await page.getByRole('button', { name: 'Create key' }).click();
      await page.getByText('Models, endpoints, tags').click();
      await page.getByRole('checkbox', { name: 'all' }).uncheck();
    },
  },
  {
    name: 'A new secret',
    url: () => '/dashboard/keys',
    act: async (page) => {
      await page.getByRole('button', { name: 'Create key' }).click();
      await page.getByRole('textbox', { name: 'Name' }).fill('axe');
      await page.getByRole('dialog').getByRole('button', { name: 'Create key' }).click();
      await page.getByText('I have copied it').waitFor();
    },
  },
  {
    name: 'One key',
    url: (fake) => `/dashboard/keys/${fake.keys[0]!.id}`,
    act: (page) => page.getByText('Last 30 days').waitFor(),
  },
  {
    name: 'Revoke',
    url: (fake) => `/dashboard/keys/${fake.keys.find((key) => key.status === 'active')!.id}`,
    act: (page) => page.getByRole('button', { name: 'Revoke' }).click(),
  },
  {
    name: 'Usage',
    url: () => '/dashboard/usage',
    act: (page) => page.getByRole('heading', { name: 'By model' }).waitFor(),
  },
  { name: 'Requests', url: () => '/dashboard/requests', act: (page) => page.getByRole('row').nth(3).waitFor() },
  {
    name: 'One request',
    url: ({ records }) => `/dashboard/request?request_id=${records[0]!.requestId}&record=${records[0]!.id}`,
    act: (page) => page.getByText('Received → sent').waitFor(),
  },
  {
    name: 'Playground',
    url: () => '/dashboard/playground',
    act: async (page) => {
      await page.getByLabel('Client key').fill(`sk-bve-${'a'.repeat(64)}`);
      await page.getByRole('combobox', { name: 'Model' }).fill('gpt-4o');
      await page.getByRole('button', { name: 'Send' }).click();
      await page.getByText('Complete.').waitFor();
      await page.getByRole('radio', { name: 'Events' }).check();
    },
  },
  { name: 'Connect', url: () => '/dashboard/connect' },
  { name: 'Settings', url: () => '/dashboard/settings', act: (page) => page.getByText('FUELIX_BASE_URL').waitFor() },
  { name: 'No such page', url: () => '/dashboard/nothing' },
  {
    name: 'API reference',
    url: () => '/docs',
    act: (page) => page.getByText('Create a chat completion').first().waitFor(),
  },
];

describe.skipIf(WITHOUT_BROWSER !== null)('accessibility, by axe-core', () => {
  let browser: Browser;
  let fake: FakeGateway;
  beforeAll(async () => {
    browser = await launchBrowser();
    fake = new FakeGateway({ keys: 60, requests: 3000 });
  });
  afterAll(async () => {
    await browser?.close();
    await fake?.stop();
  });

  for (const { name, url, act } of VIEWS) {
    test(`${name}: wide and narrow, light and dark`, async () => {
      const { page, problems, close } = await openPage(browser, fake.url + url(fake), { adminKey: ADMIN_KEY });
      await page.getByRole('heading').first().waitFor();
      await act?.(page);
      const found: string[] = [];
      for (const { width, height, themes } of SIZES) {
        await page.setViewportSize({ width, height });
        for (const colorScheme of themes) {
          await page.emulateMedia({ colorScheme });
          found.push(...(await axeViolations(page)).map((line) => `${colorScheme}, ${width}: ${line}`));
        }
        const overflow = Number(await page.evaluate('document.documentElement.scrollWidth - innerWidth'));
        if (overflow > 0) found.push(`${overflow} pixels wider than a window of ${width}`);
      }
      expect([...found, ...problems]).toEqual([]);
      await close();
    }, 60_000);
  }

  test('the page that asks for the admin key', async () => {
    for (const theme of ['light', 'dark'] as const) {
      const { page, problems, close } = await openPage(browser, `${fake.url}/dashboard`, { theme });
      await page.getByRole('heading', { name: 'BVE Gateway' }).waitFor();
      expect([...(await axeViolations(page)), ...problems]).toEqual([]);
      await close();
    }
  });

  test('the menu of a narrow screen', async () => {
    const { page, close } = await openPage(browser, `${fake.url}/dashboard/settings`, {
      width: 390,
      adminKey: ADMIN_KEY,
    });
    await page.getByRole('button', { name: 'Open the menu' }).click();
    expect(await axeViolations(page)).toEqual([]);
    await close();
  });
});
