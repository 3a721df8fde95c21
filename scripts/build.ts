/**
 * Builds dist/bve. Whitespace and syntax are minified; names are not, because that has broken Elysia (elysia#740, #1711).
 * The binary reads no .env and no bunfig.toml of the directory it happens to be started in: configuration has one door.
 */
import { statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { commit } from '../src/version.ts';

const root = resolve(import.meta.dir, '..');
const outfile = resolve(process.argv[2] ?? `${root}/dist/bve`);
const build = Bun.spawnSync(
  [
    process.execPath,
    'build',
    '--compile',
    '--minify-whitespace',
    '--minify-syntax',
    '--no-compile-autoload-dotenv',
    '--no-compile-autoload-bunfig',
    '--define',
    `BVE_COMMIT=${JSON.stringify(process.env.BVE_COMMIT || commit())}`,
    '--outfile',
    outfile,
    'src/main.ts',
  ],
  { cwd: root, stdout: 'inherit', stderr: 'inherit' },
);
if (build.exitCode !== 0) process.exit(build.exitCode ?? 1);
console.log(`${relative(process.cwd(), outfile)}: ${(statSync(outfile).size / 1e6).toFixed(0)} MB`);
