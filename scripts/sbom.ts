/** A software bill of materials in CycloneDX 1.6 (ECMA-424): Bun, and every package that bun.lock has for the product. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../src/version.ts';
import { ROOT } from './compile.ts';

/** As in bun.lock: "name@version", registry, what it needs, integrity. */
type Locked = readonly [
  id: string,
  registry: string,
  about: { dependencies?: Record<string, string> },
  integrity: string,
];

interface Lock {
  readonly workspaces: Readonly<Record<string, { dependencies?: Record<string, string> }>>;
  readonly packages: Readonly<Record<string, Locked>>;
}

export function sbom(): object {
  const lock = readLock();
  const found = new Map<string, Locked>();
  const needs = new Map<string, string[]>();
  const visit = (name: string, within: string): string => {
    // A package may have a version of its own of what it needs: bun.lock has that under its path.
    const path = lock.packages[`${within}/${name}`] ? `${within}/${name}` : name;
    const locked = lock.packages[path];
    if (locked === undefined) throw new Error(`bun.lock has no ${path}`);
    const ref = refOf(locked);
    if (found.has(ref)) return ref;
    found.set(ref, locked);
    needs.set(
      ref,
      Object.keys(locked[2].dependencies ?? {}).map((each) => visit(each, path)),
    );
    return ref;
  };
  const direct = Object.keys(lock.workspaces['']?.dependencies ?? {}).map((name) => visit(name, ''));
  const bun = {
    type: 'framework',
    'bom-ref': `pkg:generic/bun@${Bun.version}`,
    name: 'bun',
    version: Bun.version,
    purl: `pkg:generic/bun@${Bun.version}`,
  };
  const product = {
    type: 'application',
    'bom-ref': `pkg:generic/bve-gateway@${VERSION}`,
    name: 'bve-gateway',
    version: VERSION,
  };
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    // No time and no random number: the same sources give the same file.
    metadata: { component: product },
    components: [
      bun,
      ...[...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([ref, locked]) => component(ref, locked)),
    ],
    dependencies: [
      { ref: product['bom-ref'], dependsOn: [bun['bom-ref'], ...direct].sort() },
      ...[...needs]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([ref, dependsOn]) => ({ ref, dependsOn: [...new Set(dependsOn)].sort() })),
    ],
  };
}

/** JSON with trailing commas. */
function readLock(): Lock {
  const text = readFileSync(join(ROOT, 'bun.lock'), 'utf8');
  return JSON.parse(text.replaceAll(/,(\s*[}\]])/g, '$1')) as Lock;
}

function refOf([id]: Locked): string {
  const at = id.lastIndexOf('@');
  // The @ of a scope is encoded (package-url specification).
  return `pkg:npm/${id.slice(0, at).replace(/^@/, '%40')}@${id.slice(at + 1)}`;
}

function component(ref: string, [id, , , integrity]: Locked): object {
  const at = id.lastIndexOf('@');
  const [algorithm, hash] = integrity.split('-', 2);
  return {
    type: 'library',
    'bom-ref': ref,
    name: id.slice(0, at),
    version: id.slice(at + 1),
    purl: ref,
    ...(algorithm === 'sha512' && hash
      ? { hashes: [{ alg: 'SHA-512', content: Buffer.from(hash, 'base64').toString('hex') }] }
      : {}),
  };
}
