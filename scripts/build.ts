/**
 * Builds dist/bve. Whitespace and syntax are minified; names are not, because that has broken Elysia (elysia#740, #1711).
 * The binary reads no .env and no bunfig.toml of the directory it happens to be started in: configuration has one door.
 */
import { statSync } from 'node:fs';
import { commit } from '../src/version.ts';

const outfile = process.argv[2] ?? 'dist/bve';
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
  { cwd: `${import.meta.dir}/..`, stdout: 'inherit', stderr: 'inherit' },
);
if (build.exitCode !== 0) process.exit(build.exitCode ?? 1);
console.log(`${outfile}: ${(statSync(`${import.meta.dir}/../${outfile}`).size / 1e6).toFixed(0)} MB`);
