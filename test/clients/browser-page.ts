/** What the page of browser.clients.ts runs: the real packages, in the browser, from another origin than the gateway's. */
import { anthropicCases } from './cases/anthropic.ts';
import { type Access, runCases } from './cases/case.ts';
import { openaiCases } from './cases/openai.ts';

const SUITES = { openai: openaiCases, anthropic: anthropicCases };

Object.assign(globalThis, {
  runSuite: (suite: keyof typeof SUITES, access: Access) => runCases(SUITES[suite], access),
});
