/**
 * Parses a file of hashed keys, CSV or JSON lines, into keys to store. Independent of the database.
 *
 * The fields are those of the key object and `key_hash`, sha256(key + pepper) in hex. Absent fields get the defaults of
 * `bve keys create`; in CSV an empty cell is absent and `none` is null. All errors are reported with their lines. Messages
 * never contain values: a column of secrets may have been mislabelled.
 */
import { timeKind } from '../keys/field-kinds.ts';
import { FIELD_LIST, mapFields } from '../keys/fields.ts';
import { createKey, type KeyStatus } from '../keys/key.ts';
import type { ImportedKey } from '../store/store.ts';
import { CsvError, parseCsv } from './csv.ts';

export interface ImportProblem {
  readonly line: number;
  readonly text: string;
}

interface ImportFile {
  readonly keys: readonly ImportedKey[];
  /** The line number of each key. */
  readonly lines: readonly number[];
  readonly problems: readonly ImportProblem[];
}

/** Never throws: all errors are in `problems`. */
export function readImportFile(text: string, format: 'csv' | 'jsonl', nowMs: number): ImportFile {
  const problems: ImportProblem[] = [];
  const entries = format === 'csv' ? csvEntries(text, problems) : jsonEntries(text, problems);
  const keys: ImportedKey[] = [];
  const lines: number[] = [];
  const seen = new Map<string, number>();
  for (const { line, values } of entries) {
    const complain = (problem: string) => problems.push({ line, text: problem });
    const imported = keyFrom(values, nowMs, complain);
    if (!imported) continue;
    for (const [field, value] of [
      ['id', imported.key.id],
      ['key_hash', imported.keyHash],
    ] as const) {
      const first = seen.get(`${field} ${value}`);
      if (first !== undefined) complain(`${field} is the same as in line ${first}`);
      else seen.set(`${field} ${value}`, line);
    }
    keys.push(imported);
    lines.push(line);
  }
  return { keys, lines, problems };
}

type Values = Readonly<Record<string, unknown>>;

interface Entry {
  readonly line: number;
  readonly values: Values;
}

/** How to read a field of the file: a kind of key field, or one of those below. */
interface FileField {
  readonly takesAsText: string;
  /** undefined when the value is not valid for this field. */
  parse(value: unknown): unknown;
  fromText(text: string): unknown;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HASH = /^[0-9a-f]{64}$/;
const PREFIX = /^sk-bve-([0-9a-f]{5})?$/;
const STATUS = /^(active|suspended|revoked)$/;
/** The prefix of a key whose own is not known. */
const PREFIX_UNKNOWN = 'sk-bve-';

/** The fields that are not configurable, in addition to the table of key fields. */
interface SystemValues {
  readonly key_hash: string;
  readonly id: string;
  readonly prefix: string;
  readonly status: KeyStatus;
  readonly created_at: number | null;
  readonly last_used_at: number | null;
}

const SYSTEM_FIELDS: Readonly<Record<keyof SystemValues, FileField>> = {
  key_hash: text('64 hex digits', HASH, (value) => value.toLowerCase()),
  id: text('a UUID', UUID, (value) => value.toLowerCase()),
  prefix: text('the first 12 characters of a key', PREFIX),
  status: text('active, suspended or revoked', STATUS),
  created_at: timeKind,
  last_used_at: timeKind,
};

const FIELDS = new Map<string, FileField>([
  ...Object.entries(SYSTEM_FIELDS),
  ...FIELD_LIST.map(([, field]) => [field.name, field] as const),
]);
const REQUIRED = ['key_hash', 'name'];

/** All fields except `name` and `key_hash`, for the help text. */
export const OPTIONAL_FIELDS = [...FIELDS.keys()].filter((name) => !REQUIRED.includes(name));

/** Returns null after reporting errors to `complain`. */
function keyFrom(values: Values, nowMs: number, complain: (problem: string) => void): ImportedKey | null {
  let good = true;
  const reject = (problem: string) => {
    good = false;
    complain(problem);
  };
  const parsed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const field = FIELDS.get(name);
    if (!field) {
      reject(`unknown field '${name.slice(0, 64)}'`);
      continue;
    }
    parsed[name] = field.parse(value);
    if (parsed[name] === undefined) reject(`${name} takes ${field.takesAsText}`);
  }
  for (const name of REQUIRED) if (!Object.hasOwn(values, name)) reject(`${name} is missing`);
  return good ? importedKey(parsed, nowMs) : null;
}

/** @param parsed values by field name */
function importedKey(parsed: Readonly<Record<string, unknown>>, nowMs: number): ImportedKey {
  const system = parsed as Partial<SystemValues>;
  const name = String(parsed.name);
  // The source of defaults.
  const { key: fresh } = createKey({ name }, nowMs);
  const key = {
    ...fresh,
    ...mapFields((property, field) => (parsed[field.name] === undefined ? fresh[property] : parsed[field.name])),
    id: system.id ?? fresh.id,
    prefix: system.prefix ?? PREFIX_UNKNOWN,
    status: system.status ?? fresh.status,
    createdAt: system.created_at ?? nowMs,
    lastUsedAt: system.last_used_at ?? null,
  };
  return { key, keyHash: String(system.key_hash) };
}

function csvEntries(text: string, problems: ImportProblem[]): Entry[] {
  try {
    const [header, ...rows] = parseCsv(text);
    if (!header) return [];
    const names = header.cells.map((cell) => cell.trim());
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) {
      problems.push({ line: header.line, text: `the header has '${twice.slice(0, 64)}' twice` });
      return [];
    }
    return rows.flatMap(({ line, cells }) => {
      if (cells.length === names.length) return [{ line, values: valuesFromCells(names, cells) }];
      problems.push({ line, text: `${cells.length} cells, but the header has ${names.length}` });
      return [];
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    problems.push({ line: error.line, text: error.message });
    return [];
  }
}

function valuesFromCells(names: readonly string[], cells: readonly string[]): Values {
  const values = Object.create(null) as Record<string, unknown>;
  names.forEach((name, i) => {
    const cell = cells[i]!;
    if (cell === '') return;
    const field = FIELDS.get(name);
    values[name] = field ? field.fromText(cell) : cell;
  });
  return values;
}

function jsonEntries(text: string, problems: ImportProblem[]): Entry[] {
  return text.split('\n').flatMap((content, i) => {
    const line = i + 1;
    if (content.trim() === '') return [];
    let parsed: unknown;
    try {
      parsed = JSON.parse(content);
    } catch {
      parsed = undefined;
    }
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return [{ line, values: parsed as Values }];
    }
    problems.push({ line, text: 'not a JSON object' });
    return [];
  });
}

function text(takesAsText: string, form: RegExp, normalized = (value: string) => value): FileField {
  return {
    takesAsText,
    parse: (value) => (typeof value === 'string' && form.test(normalized(value)) ? normalized(value) : undefined),
    fromText: (cell) => cell,
  };
}
