/**
 * Debian's chromium, driven by playwright-core. A page that is opened here remembers what must never happen on it: an error
 * on its console, an exception, a request to another origin.
 */
import { existsSync } from 'node:fs';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const PATH = process.env.CHROMIUM_BIN ?? '/usr/bin/chromium';

/** Why there is no browser to test with; null when there is one. */
export const WITHOUT_BROWSER: string | null = existsSync(PATH)
  ? null
  : `skipped: ${PATH} is not there (apt-get install chromium, or set CHROMIUM_BIN)`;
if (WITHOUT_BROWSER !== null) console.log(WITHOUT_BROWSER);

export interface PageOptions {
  readonly theme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
  /** Already signed in with this admin key. */
  readonly adminKey?: string;
  /** Console lines that a test means to cause, for example those of a server that is stopped. */
  readonly expectedErrors?: RegExp;
}

export interface OpenPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What went wrong so far. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: PATH,
    args: ['--no-sandbox', '--disable-gpu', '--enable-precise-memory-info'],
  });
}

export async function openPage(browser: Browser, url: string, options: PageOptions = {}): Promise<OpenPage> {
  const { theme = 'light', width = 1440, height = 900, adminKey, expectedErrors } = options;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    reducedMotion: 'reduce',
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  const { origin } = new URL(url);
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    if (!expectedErrors?.test(message.text())) problems.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`exception: ${error.stack ?? error.message}`));
  page.on('request', (request) => {
    const to = request.url();
    if (!to.startsWith(`${origin}/`) && !/^(data|blob):/.test(to)) problems.push(`request to another origin: ${to}`);
  });
  if (adminKey !== undefined) {
    await page.addInitScript(`sessionStorage.setItem('bve-admin-key', ${JSON.stringify(adminKey)})`);
  }
  await page.goto(url);
  return { page, context, problems, close: () => context.close() };
}

let axeSource: string | undefined;

/** What axe-core finds on a page as it is now, one line each. */
export async function axeViolations(page: Page): Promise<string[]> {
  axeSource ??= await Bun.file(new URL(import.meta.resolve('axe-core/axe.min.js'))).text();
  await page.evaluate(axeSource);
  const found = await page.evaluate(`axe.run(document, { resultTypes: ['violations'] })`);
  const { violations } = found as {
    violations: { id: string; nodes: { target: string[]; failureSummary?: string }[] }[];
  };
  return violations.flatMap(({ id, nodes }) =>
    nodes
      .slice(0, 3)
      .map(({ target, failureSummary }) => `${id}: ${target.join(' ')} (${failureSummary?.split('\n')[1]?.trim()})`),
  );
}
