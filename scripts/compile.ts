/**
 * Compiles the binary. Whitespace and syntax are minified; names are not, because that has broken Elysia (elysia#740, #1711).
 * It reads no .env and no bunfig.toml of the directory it happens to be started in: configuration has one door.
 */
import { resolve } from 'node:path';
import { commit } from '../src/version.ts';

export const ROOT = resolve(import.meta.dir, '..');

/** @param target of `bun build --target`; none: this machine. Exits when it fails. */
export function compile(outfile: string, target?: string): void {
  const build = Bun.spawnSync(
    [
      process.execPath,
      'build',
      '--compile',
      ...(target === undefined ? [] : [`--target=${target}`]),
      '--minify-whitespace',
      '--minify-syntax',
      '--no-compile-autoload-dotenv',
      '--no-compile-autoload-bunfig',
      '--define',
      `BVE_COMMIT=${JSON.stringify(process.env.BVE_COMMIT || commit())}`,
      // Else Bun writes where a package lies on this machine into the binary.
      '--define',
      '__dirname="/bve"',
      '--define',
      '__filename="/bve/bve"',
      '--outfile',
      outfile,
      'src/main.ts',
    ],
    { cwd: ROOT, stdout: 'ignore', stderr: 'inherit' },
  );
  if (build.exitCode !== 0) process.exit(build.exitCode ?? 1);
}
