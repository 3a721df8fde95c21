/** Runs the same cases against the mock and through the gateway, and keeps what was run for the tables of docs/clients.md. */
import { expect } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENDPOINTS, type Endpoint } from '../../src/gateway/endpoints.ts';
import type { Pair } from '../support/pair.ts';
import type { Access, Outcome } from './cases/case.ts';
import { CACHE } from './toolchains.ts';

export interface ClientRun {
  readonly client: string;
  readonly version: string;
  readonly runsOn: string;
  readonly cases: readonly string[];
  /** Paths of the endpoints that its requests went to. */
  readonly endpoints: readonly string[];
}

export const RUNS: ClientRun[] = [];

type Runner = (access: Access) => Promise<readonly Outcome[]>;

interface Client {
  readonly client: string;
  readonly version: string;
  readonly runsOn: string;
}

/** How much longer a wait may take through the gateway, on a busy machine. */
const WAIT_SLACK_MS = 1_500;

/** Names of the cases that raise. */
const RAISES = /status \d|^429 |times out|an error inside|stream cut in|a cut stream/;

/** Runs the cases twice; every outcome must be the same, and every wait that an answer asked for as long. */
export async function expectSame(bench: Pair, client: Client, run: Runner): Promise<void> {
  const direct = await run({ baseUrl: bench.mock.url, apiKey: 'sk-any' });
  bench.mock.reset();
  const gated = await run({ baseUrl: `${bench.gateway.url}/v1`, apiKey: bench.gateway.key });
  expect(direct.length).toBeGreaterThan(0);
  // An error that both sides raise for another reason would be equal, too.
  const unexpected = direct.filter(({ name, error }) => (error !== undefined) !== RAISES.test(name));
  expect(unexpected).toEqual([]);
  expect(gated.map(comparable)).toEqual(direct.map(comparable));
  for (const [i, { name, ms }] of gated.entries()) {
    const waited = /retry-after: (\d+)/.exec(name);
    if (!waited) continue;
    for (const took of [ms, direct[i]!.ms]) {
      expect(took).toBeGreaterThanOrEqual(Number(waited[1]) * 1000 - 50);
      expect(took).toBeLessThan(Number(waited[1]) * 1000 + WAIT_SLACK_MS);
    }
  }
  RUNS.push({ ...client, cases: gated.map(({ name }) => name), endpoints: endpointsOf(bench) });
}

/** Without what is by chance: times, and the hash of a form, whose boundary is drawn. */
function comparable({ ms: _, ...outcome }: Outcome): unknown {
  return JSON.parse(JSON.stringify(outcome, (name, value: unknown) => (name === 'body_sha256' ? undefined : value)));
}

/** Which rows of the table of endpoints were asked for, by what reached upstream. */
export function endpointsOf(bench: Pair): string[] {
  const seen = bench.mock.requests.map(({ method, path }) => endpointAt(method, path.split('?')[0]!));
  return [...new Set(seen.flatMap((endpoint) => (endpoint ? [`${endpoint.method} ${endpoint.path}`] : [])))];
}

function endpointAt(method: string, path: string): Endpoint | undefined {
  const given = path.split('/');
  const fitting = ENDPOINTS.filter((endpoint) => {
    const expected = (endpoint.mountedAt ?? endpoint.path).split('/');
    const open = expected.at(-1) === '*';
    if (endpoint.method !== method || (open ? given.length < expected.length : given.length !== expected.length))
      return false;
    return expected.every((part, i) => part === '*' || part[0] === ':' || part === given[i]);
  });
  // The one with the fewest open parts.
  const openness = ({ path: pattern }: Endpoint) => pattern.split('/').filter((part) => /^[:*]/.test(part)).length;
  return fitting.sort((a, b) => openness(a) - openness(b))[0];
}

/** Exact version of an installed package. */
export function versionOf(name: string): string {
  const file = join(import.meta.dir, 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

/** Runs a command that prints outcomes as JSON. */
export async function outcomesOf(command: readonly string[], env: Record<string, string> = {}): Promise<Outcome[]> {
  const child = Bun.spawn([...command], { env: { ...process.env, ...env }, stdout: 'pipe', stderr: 'pipe' });
  const [out, problem] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if ((await child.exited) !== 0) throw new Error(`${command.join(' ')} failed: ${problem.slice(-2000)}`);
  return JSON.parse(out) as Outcome[];
}

/** A suite in Bun, or bundled for Node. */
export async function suiteRunner(runtime: 'bun' | 'node', suite: string): Promise<Runner> {
  const script = runtime === 'bun' ? join(import.meta.dir, 'run.ts') : await bundledForNode();
  const program = runtime === 'bun' ? process.execPath : 'node';
  return ({ baseUrl, apiKey }) =>
    outcomesOf([program, script, suite, baseUrl, apiKey], { AI_SDK_LOG_WARNINGS: 'false' });
}

let bundle: Promise<string> | undefined;

function bundledForNode(): Promise<string> {
  bundle ??= Bun.build({
    entrypoints: [join(import.meta.dir, 'run.ts')],
    target: 'node',
    outdir: CACHE,
    naming: 'run.mjs',
  }).then(() => join(CACHE, 'run.mjs'));
  return bundle;
}

/** Hands what this file ran to the tables of docs/clients.md. */
export function writeRuns(): void {
  const folder = process.env.CLIENT_RUNS;
  if (folder) writeFileSync(join(folder, `${crypto.randomUUID()}.json`), JSON.stringify(RUNS));
}
