/** Runs the cases of one package in a process of its own, Bun's or Node's: `run.ts SUITE BASE_URL API_KEY`, outcomes as JSON. */
import { runCases } from './cases/case.ts';
import { SUITES } from './cases/suites.ts';

const [suite, baseUrl, apiKey] = process.argv.slice(2);
const cases = SUITES[suite ?? ''];
if (!cases || !baseUrl || !apiKey) throw new Error('usage: run.ts SUITE BASE_URL API_KEY');
const outcomes = await runCases(cases, { baseUrl, apiKey });
await new Promise((resolve) => process.stdout.write(JSON.stringify(outcomes), resolve));
// Some packages keep connections open.
process.exit(0);
