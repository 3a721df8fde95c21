/** The files of a release. The whole set is `bun run release`; here is one binary, built twice. */
import { expect, setDefaultTimeout, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, ROOT } from '../../scripts/compile.ts';
import { sbom } from '../../scripts/sbom.ts';

setDefaultTimeout(120_000);

interface Bom {
  readonly bomFormat: string;
  readonly specVersion: string;
  readonly components: readonly {
    readonly name: string;
    readonly version: string;
    readonly 'bom-ref': string;
    readonly purl: string;
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

test('a binary that is built twice has the same bytes, and knows no path of the machine', () => {
  const folders = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'bve-release-')));
  const binaries = folders.map((folder) => {
    compile(join(folder, 'bve'));
    return readFileSync(join(folder, 'bve'));
  });
  expect(binaries[0]!.equals(binaries[1]!)).toBe(true);
  for (const path of [ROOT, ...folders]) expect(binaries[0]!.includes(path)).toBe(false);
  for (const folder of folders) rmSync(folder, { recursive: true });
});

test('the bill of materials names every package of the product, once, and what each needs', () => {
  const bom = sbom() as Bom;
  expect([bom.bomFormat, bom.specVersion]).toEqual(['CycloneDX', '1.6']);
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  for (const [name, version] of Object.entries(dependencies)) {
    expect(bom.components).toContainEqual(expect.objectContaining({ name, version }));
  }
  const refs = bom.components.map((component) => component['bom-ref']);
  expect(new Set(refs).size).toBe(refs.length);
  // Bun's own, and those of our dependencies' dependencies, are there as well.
  expect(bom.components.map(({ name }) => name)).toEqual(expect.arrayContaining(['bun', 'redis-parser', 'denque']));
  for (const { dependsOn } of bom.dependencies) for (const ref of dependsOn) expect(refs).toContain(ref);
  expect(sbom()).toEqual(bom);
});
