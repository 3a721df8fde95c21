/**
 * Makes docs/screenshots/: pages of the dashboard in both themes, from a run of `bve demo`. Needs Debian's chromium, or the
 * browser that CHROMIUM_BIN names. The pictures together stay below 600 kB, so that a clone stays small.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { withPalette } from './palette-png.ts';

const ROOT = resolve(import.meta.dir, '..');
const FOLDER = join(ROOT, 'docs/screenshots');
const THEMES = ['light', 'dark'] as const;
const SIZE = { width: 1280, height: 800 };
/** So long the live page is open before it is shown: its shortest window is a minute. */
const LIVE_MS = 70_000;
const BYTES_MAX = 600_000;

interface Demo {
  readonly url: string;
  readonly adminKey: string;
  readonly clientKey: string;
  stop(): Promise<void>;
}

const demo = await startDemo();
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
try {
  mkdirSync(FOLDER, { recursive: true });
  const sizes = await Promise.all(THEMES.map((theme) => takeAll(browser, demo, theme)));
  const total = sizes.flat().reduce((sum, bytes) => sum + bytes, 0);
  console.log(`${(total / 1000).toFixed(0)} kB in all`);
  if (total > BYTES_MAX) throw new Error(`more than ${BYTES_MAX / 1000} kB`);
} finally {
  await browser.close();
  await demo.stop();
}

async function takeAll(
  browser: Browser,
  { url, adminKey, clientKey }: Demo,
  theme: 'light' | 'dark',
): Promise<number[]> {
  const context = await browser.newContext({ viewport: SIZE, colorScheme: theme, reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.addInitScript(`sessionStorage.setItem('bve-admin-key', ${JSON.stringify(adminKey)})`);
  const take = async (name: string) => {
    const path = join(FOLDER, `${name}-${theme}.png`);
    const picture = withPalette(await page.screenshot());
    await Bun.write(path, picture);
    const size = picture.length;
    console.log(`docs/screenshots/${name}-${theme}.png: ${(size / 1000).toFixed(0)} kB`);
    return size;
  };
  await page.goto(`${url}/dashboard`);
  await page.getByText('live', { exact: true }).waitFor();
  await page.waitForTimeout(LIVE_MS);
  const live = await take('live');
  await page.getByRole('row').filter({ hasText: 'complete' }).first().click();
  await page.getByText('First byte → last byte').waitFor();
  const request = await take('request');
  await askPlayground(page, url, clientKey);
  const playground = await take('playground');
  await context.close();
  return [live, request, playground];
}

async function askPlayground(page: Page, url: string, clientKey: string): Promise<void> {
  await page.goto(`${url}/dashboard/playground`);
  await page.getByLabel('Client key').fill(clientKey);
  await page.getByText(/models?, type to choose/).waitFor();
  await page.getByRole('combobox', { name: 'Model' }).fill('gpt-4o');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.getByText('Complete.').waitFor();
  await page.getByRole('radio', { name: 'Events' }).check();
}

/** From source, so that a picture never shows an older build. */
async function startDemo(): Promise<Demo> {
  const child = Bun.spawn([process.execPath, '--no-env-file', join(ROOT, 'src/main.ts'), 'demo'], {
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  let output = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the demo ended: ${output}`);
    output += decoder.decode(value, { stream: true });
    const [, clientKey, adminKey, url] =
      /client key +(\S+)\s+admin key +(\S+)\s+dashboard +(\S+)\/dashboard/.exec(output) ?? [];
    if (clientKey === undefined || adminKey === undefined || url === undefined) continue;
    const stop = async () => {
      child.kill('SIGINT');
      await child.exited;
    };
    return { url, adminKey, clientKey, stop };
  }
}
