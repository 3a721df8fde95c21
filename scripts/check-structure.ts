/**
 * The shape of the code, where neither the compiler nor Biome checks it: the length of files, exports that nothing imports,
 * exported types that share a name, and ways around the import rules of biome.json. Prints one line per finding.
 *
 * The dashboard is a program of its own: it names its types without regard to ours, and takes from our files only what runs in
 * a browser as well.
 *
 * It reads statements as text. Biome formats every file, so each statement begins at the start of a line.
 *
 *     bun scripts/check-structure.ts [--fix]
 *
 * --fix removes `export` where nothing imports the name.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const ROOT = dirname(import.meta.dir);
const FOLDERS = ['src', 'bench', 'test', 'scripts'];
const LINES_MAX = 400;
const DASHBOARD = 'src/dashboard/app/';
/** Our files that run in a browser as well. */
const DASHBOARD_IMPORTS: readonly string[] = ['src/cli/csv.ts'];

interface Import {
  /** Path from the root of the repository. */
  readonly from: string;
  /** Names as the other file exports them; `*` for all. */
  readonly names: readonly string[];
}

interface Module {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly Import[];
  readonly exports: readonly string[];
  readonly exportedTypes: readonly string[];
}

const IMPORT = /^(?:import|export)\b(?:\s+type\b)?([^;'"]*?)\bfrom\s+'(\.[^']+)'/gm;
const BARE_IMPORT = /^import\s+'(\.[^']+)'/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*'(\.[^']+)'\s*\)/g;
const EXPORT =
  /^export\s+(?:declare\s+)?(?:default\s+)?(?:async\s+)?(?:abstract\s+)?(interface|type|class|enum|const enum|function\*?|const|let)\s+([A-Za-z_$][\w$]*)/gm;
const EXPORT_LIST = /^export\s+(?:type\s+)?\{([^}]*)\}/gm;

function read(path: string): Module {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const folder = dirname(path);
  const imports: Import[] = [];
  const add = (from: string, names: readonly string[]) => imports.push({ from: normalize(join(folder, from)), names });
  for (const [, clause, from] of text.matchAll(IMPORT)) add(from!, namesOf(clause!));
  for (const [, from] of text.matchAll(BARE_IMPORT)) add(from!, []);
  for (const [, from] of text.matchAll(DYNAMIC_IMPORT)) add(from!, ['*']);
  const declared = [...text.matchAll(EXPORT)].map(([, kind, name]) => ({ kind: kind!, name: name! }));
  const listed = [...text.matchAll(EXPORT_LIST)].flatMap(([, list]) => entriesOf(list!).map(({ as }) => as));
  const types = declared.filter(
    ({ kind }) => kind === 'interface' || kind === 'type' || kind === 'class' || kind === 'enum',
  );
  return {
    path,
    text,
    imports,
    exports: [...declared.map(({ name }) => name), ...listed],
    exportedTypes: types.map(({ name }) => name),
  };
}

function namesOf(clause: string): string[] {
  if (clause.includes('*')) return ['*'];
  const braces = /\{([^}]*)\}/.exec(clause);
  const named = braces ? entriesOf(braces[1]!).map(({ name }) => name) : [];
  const outside = clause.replace(/\{[^}]*\}/, '').replace(/[\s,]/g, '');
  return outside === '' ? named : [...named, 'default'];
}

function entriesOf(list: string): { name: string; as: string }[] {
  return list
    .split(',')
    .map((entry) => entry.trim().replace(/^type\s+/, ''))
    .filter((entry) => entry !== '')
    .map((entry) => {
      const [name, as = name] = entry.split(/\s+as\s+/);
      return { name: name!, as: as! };
    });
}

function tooLong(files: readonly Pick<Module, 'path' | 'text'>[]): string[] {
  return files
    .filter(({ path }) => !path.startsWith('test/'))
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > LINES_MAX)
    .map(({ path, lines }) => `${path}: ${lines} lines, at most ${LINES_MAX}`);
}

interface Unused {
  readonly path: string;
  readonly name: string;
}

function unusedExports(modules: readonly Module[]): Unused[] {
  const used = new Set<string>();
  const whole = new Set<string>();
  for (const { imports } of modules) {
    for (const { from, names } of imports) {
      for (const name of names) name === '*' ? whole.add(from) : used.add(`${from} ${name}`);
    }
  }
  return modules
    .filter(({ path }) => !whole.has(path))
    .flatMap(({ path, exports }) => exports.map((name) => ({ path, name })))
    .filter(({ path, name }) => !used.has(`${path} ${name}`));
}

function removeExport({ path, name }: Unused): void {
  const file = join(ROOT, path);
  const declaration = new RegExp(`^export ((?:[a-z]+\\*? )+${name.replaceAll('$', '\\$')}\\b)`, 'm');
  writeFileSync(file, readFileSync(file, 'utf8').replace(declaration, '$1'));
}

function sharedTypeNames(modules: readonly Module[]): string[] {
  const owners = new Map<string, string[]>();
  for (const { path, exportedTypes } of modules) {
    // Types that a program wrote are imported as one thing, under a name of its own.
    if (path.startsWith('test/') || path.endsWith('.gen.ts')) continue;
    for (const name of exportedTypes) {
      const owner = isDashboard(path) ? `${DASHBOARD} ${name}` : name;
      owners.set(owner, [...(owners.get(owner) ?? []), path]);
    }
  }
  return [...owners]
    .filter(([, paths]) => paths.length > 1)
    .map(([name, paths]) => `type ${name} is exported by ${paths.join(' and ')}`);
}

function isDashboard(path: string): boolean {
  return path.startsWith(DASHBOARD);
}

/** Imports from one program into the other. Tests may import from both. */
function betweenPrograms(modules: readonly Module[]): string[] {
  return modules
    .filter(({ path }) => path.startsWith('src/'))
    .flatMap(({ path, imports }) =>
      imports
        .map(({ from }) => from)
        .filter((from) => isDashboard(from) !== isDashboard(path) && !DASHBOARD_IMPORTS.includes(from))
        .filter((from) => /\.tsx?$/.test(from))
        .map((from) => `${path} imports ${from}, which is of another program`),
    );
}

/** What Biome's rules on imports and on `process.env` do not see. */
function hiddenDoors(modules: readonly Module[]): string[] {
  return modules
    .filter(({ path }) => path.startsWith('src/'))
    .flatMap(({ path, text }) => [
      ...(/\bBun\.env\b/.test(text) && path !== 'src/config/load.ts' ? [`${path} reads the environment`] : []),
      ...(/\bBun\.(SQL|sql)\b/.test(text) && !path.startsWith('src/store/') ? [`${path} speaks SQL`] : []),
    ]);
}

function filesOf(pattern: string): string[] {
  return FOLDERS.flatMap((folder) =>
    [...new Bun.Glob(pattern).scanSync({ cwd: join(ROOT, folder) })]
      .filter((path) => !path.includes('node_modules/'))
      .map((path) => `${folder}/${path}`),
  ).sort();
}

const modules = filesOf('**/*.{ts,tsx}').map(read);
const styles = filesOf('**/*.css').map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
const unused = unusedExports(modules);
const findings = [
  ...tooLong([...modules, ...styles]),
  ...hiddenDoors(modules),
  ...betweenPrograms(modules),
  ...unused.map(({ path, name }) => `${path}: nothing imports ${name}`),
  ...sharedTypeNames(modules),
];
if (process.argv.includes('--fix')) unused.forEach(removeExport);
for (const finding of findings) console.error(finding);
process.exitCode = findings.length === 0 ? 0 : 1;
