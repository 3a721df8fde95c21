/**
 * What the last saved run found (results.json), and the tables of docs/clients.md that are made of it.
 *
 *     bun test/clients/tables.ts      # writes the tables
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { ClientRun } from './harness.ts';

const SAVED = join(import.meta.dir, 'results.json');
const PAGE = resolve(import.meta.dir, '../../docs/clients.md');
const START = '<!-- test:clients writes what follows -->';
const END = '<!-- test:clients wrote this -->';

/** What the contract lists as an endpoint, and the calls as the log names them. */
export const ENDPOINT_ROWS: readonly (readonly [row: string, calls: RegExp])[] = [
  ['GET, HEAD /', /^(GET|HEAD) \/$/],
  ['GET /health', /^GET \/health$/],
  ['GET /ready', /^GET \/ready$/],
  ['GET /openapi.json, /docs', /^GET \/(openapi\.json|docs)$/],
  ['GET /v1/key', /^GET \/v1\/key$/],
  ['GET /v1/models', /^GET \/v1\/models$/],
  ['GET /v1/models/{model}', /^GET \/v1\/models\/:model$/],
  ['POST /v1/chat/completions', /^POST \/v1\/chat\/completions$/],
  ['/v1/chat/completions… (stored)', /^(GET|DELETE) \/v1\/chat\/completions|^POST \/v1\/chat\/completions\/:/],
  ['POST /v1/responses', /^POST \/v1\/responses$/],
  ['GET, DELETE /v1/responses/{id}', /^(GET|DELETE) \/v1\/responses\/:response$/],
  ['GET /v1/responses/{id}/input_items', /input_items$/],
  ['POST /v1/responses/{id}/cancel', /\/cancel$/],
  ['POST /v1/responses/input_tokens', /responses\/input_tokens$/],
  ['POST /v1/responses/compact', /responses\/compact$/],
  ['/v1/conversations…', /\/v1\/conversations/],
  ['POST /v1/messages', /^POST \/v1\/messages$/],
  ['POST /v1/messages/count_tokens', /messages\/count_tokens$/],
  ['POST /v1/embeddings', /embeddings$/],
  ['POST /v1/completions', /^POST \/v1\/completions$/],
  ['POST /v1/audio/speech', /audio\/speech$/],
  ['POST /v1/audio/transcriptions', /audio\/transcriptions$/],
  ['POST /v1/images/generations', /images\/generations$/],
  ['POST /v1/images/edits', /images\/edits$/],
  ['/v1/files…', /\/v1\/files/],
  ['/v1/assistants…', /\/v1\/assistants/],
  ['/v1/threads… and runs', /\/v1\/threads/],
  ['/v1/vector_stores…', /\/v1\/vector_stores/],
  ['/admin/…', /\/admin\//],
  ['GET /dashboard', /^GET \/dashboard$/],
  ['GET /metrics', /^GET \/metrics$/],
];

/** Each endpoint with the clients that called it. */
export function endpointRows(runs: readonly ClientRun[]): { endpoint: string; clients: string[] }[] {
  return ENDPOINT_ROWS.map(([endpoint, calls]) => {
    const by = runs.filter(({ endpoints }) => endpoints.some((one) => calls.test(one)));
    return { endpoint, clients: [...new Set(by.map(({ client }) => client))] };
  });
}

export function savedRuns(): ClientRun[] {
  return JSON.parse(readFileSync(SAVED, 'utf8')) as ClientRun[];
}

/** Rows of clients that could not be run here stay as they are. */
export function saveRuns(runs: readonly ClientRun[]): void {
  const merged = new Map([...savedRuns(), ...runs].map((run) => [nameOf(run), run]));
  const sorted = [...merged.values()].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  writeFileSync(SAVED, `${JSON.stringify(sorted, null, 1)}\n`);
}

/** Null when each run did what the file says. Versions of what the machine brings do not count. */
export function differenceFromSaved(runs: readonly ClientRun[]): string | null {
  const saved = new Map(savedRuns().map((run) => [nameOf(run), run]));
  for (const run of runs) {
    const known = saved.get(nameOf(run));
    if (!known) return `${nameOf(run)} is not in it`;
    for (const what of ['cases', 'endpoints'] as const) {
      const now = new Set(run[what]);
      const was = new Set(known[what]);
      const other = [...now.symmetricDifference(was)];
      if (other.length > 0) return `${nameOf(run)}: ${what}: ${other.join(', ')}`;
    }
  }
  return null;
}

/** Chromium's version is the machine's. */
function nameOf({ client, runsOn }: ClientRun): string {
  return `${client} in ${runsOn.replace(/ \d+$/, '')}`;
}

/** The page with the tables of what is saved. @throws when it has no marks */
export function withTables(page: string): string {
  const start = page.indexOf(START);
  const end = page.indexOf(END);
  if (start < 0 || end < start) throw new Error(`docs/clients.md has no lines ${START} and ${END}`);
  return `${page.slice(0, start + START.length)}\n${tables(savedRuns())}\n${page.slice(end)}`;
}

export function currentPage(): string {
  return readFileSync(PAGE, 'utf8');
}

export function writeTables(): void {
  writeFileSync(PAGE, withTables(currentPage()));
}

function tables(runs: readonly ClientRun[]): string {
  const clients = runs.map(
    ({ client, version, runsOn, cases }) => `| ${client} | ${version} | ${runsOn} | ${cases.join('; ')} | passed |`,
  );
  const endpoints = endpointRows(runs).map(({ endpoint, clients: by }) => `| ${endpoint} | ${by.join(', ')} |`);
  return [
    '',
    '| client | version | runs in | what it did | result |',
    '| --- | --- | --- | --- | --- |',
    ...clients,
    '',
    'Each endpoint, and the clients that called it in this run:',
    '',
    '| endpoint | clients |',
    '| --- | --- |',
    ...endpoints,
    '',
  ].join('\n');
}

if (import.meta.main) writeTables();
