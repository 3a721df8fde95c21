/** Writes docs/faults.md from what a gateway does. */
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { faultPage } from '../test/support/fault-table.ts';

writeFileSync(join(resolve(import.meta.dir, '..'), 'docs/faults.md'), await faultPage());
