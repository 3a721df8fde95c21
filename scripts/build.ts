/** Builds dist/bve, or the file that is named. */
import { statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { compile, ROOT } from './compile.ts';

const outfile = resolve(process.argv[2] ?? `${ROOT}/dist/bve`);
compile(outfile);
console.log(`${relative(process.cwd(), outfile)}: ${(statSync(outfile).size / 1e6).toFixed(0)} MB`);
