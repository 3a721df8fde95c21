/** docs/faults.md is what the gateway does. */
import { expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { faultPage } from '../support/fault-table.ts';

setDefaultTimeout(60_000);

test('each fault, at each moment, streamed or not, comes out as docs/faults.md says (bun run docs:faults writes it)', async () => {
  const written = readFileSync(join(resolve(import.meta.dir, '../..'), 'docs/faults.md'), 'utf8');
  const observed = await faultPage();
  expect(observed).toBe(written);
  // No empty cell.
  expect(observed).not.toMatch(/\| *\|/);
});
