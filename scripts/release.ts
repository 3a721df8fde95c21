/**
 * The files of a release, in dist/release: a binary for each kind of Linux, the bill of materials, and SHA256SUMS of all.
 *
 *     bun run release              all of them
 *     bun run release linux-x64    one, and the other files
 *
 * Building the same commit twice gives the same bytes: Bun is pinned, and a binary does not know the path or the name under which it was
 * built. `test/container/release.test.ts` builds one twice.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, ROOT } from './compile.ts';
import { sbom } from './sbom.ts';

/** By the name of the file; `baseline` is for processors without AVX2, musl for Alpine. */
const TARGETS: Readonly<Record<string, string>> = {
  'linux-x64': 'bun-linux-x64-modern',
  'linux-x64-baseline': 'bun-linux-x64-baseline',
  'linux-x64-musl': 'bun-linux-x64-musl',
  'linux-arm64': 'bun-linux-arm64',
  'linux-arm64-musl': 'bun-linux-arm64-musl',
};

if (Bun.version !== '1.4.5') fail(`a release is built with Bun 1.4.5, not ${Bun.version}`);
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in TARGETS));
if (unknown !== undefined) fail(`there is no ${unknown}, only ${Object.keys(TARGETS).join(', ')}`);

const folder = join(ROOT, 'dist/release');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const files: string[] = [];
for (const [name, target] of Object.entries(TARGETS)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const scratch = mkdtempSync(join(tmpdir(), 'bve-release-'));
  // Always of the same name: Bun writes it into the binary.
  compile(join(scratch, 'bve'), target);
  const file = `bve-${name}`;
  copy(join(scratch, 'bve'), join(folder, file));
  rmSync(scratch, { recursive: true });
  files.push(file);
  console.log(file);
}
writeFileSync(join(folder, 'bve.cdx.json'), `${JSON.stringify(sbom(), null, 2)}\n`);
files.push('bve.cdx.json');
const sums = files.map((file) => `${Bun.SHA256.hash(readFileSync(join(folder, file)), 'hex')}  ${file}\n`);
writeFileSync(join(folder, 'SHA256SUMS'), sums.join(''));
console.log(`bve.cdx.json\nSHA256SUMS`);

function copy(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    // Another file system.
    writeFileSync(to, readFileSync(from));
  }
  chmodSync(to, 0o755);
}

function fail(message: string): never {
  process.stderr.write(`release: ${message}\n`);
  process.exit(2);
}
