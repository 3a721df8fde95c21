/** docs/clients.md tells what the last saved run of the clients found. The run itself is `bun run test:clients`. */
import { expect, test } from 'bun:test';
import { ENDPOINTS } from '../../src/gateway/endpoints.ts';
import { currentPage, ENDPOINT_ROWS, endpointRows, savedRuns, withTables } from './tables.ts';

test('the tables of docs/clients.md are those of results.json (bun test/clients/tables.ts writes them)', () => {
  expect(currentPage()).toBe(withTables(currentPage()));
});

test('each endpoint was called by a client', () => {
  const uncalled = endpointRows(savedRuns()).filter(({ clients }) => clients.length === 0);
  expect(uncalled.map(({ endpoint }) => endpoint)).toEqual([]);
});

test('each endpoint of the gateway is in a row', () => {
  const missing = ENDPOINTS.map(({ method, path }) => `${method} ${path}`).filter(
    (call) => !ENDPOINT_ROWS.some(([, calls]) => calls.test(call)),
  );
  expect(missing).toEqual([]);
});
