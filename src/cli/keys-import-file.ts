/**
 * A file of hashed keys, CSV or JSON lines, to keys that can be stored. Knows nothing of the database.
 *
 * Fields are those of the key object and `key_hash`, which is sha256(key + pepper) in hex. What is absent has the value
 * that `bve keys create` would give it; in CSV an empty cell is absent, and `none` is null. Every mistake is found, with
 * its line. Messages never repeat a value: a column may have been mixed up with one of secrets.
 */
import { parseIsoTime } from '../keys/iso-time.ts';
import { type ApiKey, createKey, KEY_NAME_CHARACTERS_MAX, LIMIT_MAX } from '../keys/key.ts';
import type { ImportedKey } from '../store/sqlite/key-changes.ts';
import { CsvError, parseCsv } from './csv.ts';

export interface ImportProblem {
  readonly line: number;
  readonly text: string;
}

export interface ImportFile {
  readonly keys: readonly ImportedKey[];
  /** The line of each key. */
  readonly lines: readonly number[];
  readonly problems: readonly ImportProblem[];
}

/** @throws nothing: whatever is wrong is among the problems */
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

interface Field<T> {
  /** Completes "takes …". */
  readonly takes: string;
  /** undefined: not a value of this field. */
  parse(value: unknown): T | undefined;
  /** What a CSV cell says, as JSON would say it. Default: the text itself. */
  readonly fromCell?: (text: string) => unknown;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const HASH = /^[0-9a-f]{64}$/;
const PREFIX = /^sk-bve-([0-9a-f]{5})?$/;
/** What is known of a key whose prefix was not kept. */
const PREFIX_UNKNOWN = 'sk-bve-';

const limit: Field<number | null> = {
  takes: 'a whole number from 1 on, or none',
  parse: (value) =>
    value === null || (Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LIMIT_MAX)
      ? (value as number | null)
      : undefined,
  fromCell: (text) => (isNone(text) ? null : /^\d{1,15}$/.test(text) ? Number(text) : text),
};

const time: Field<number | null> = {
  takes: 'an ISO 8601 time with its zone, or none',
  parse: (value) =>
    value === null ? null : typeof value === 'string' ? (parseIsoTime(value) ?? undefined) : undefined,
  fromCell: (text) => (isNone(text) ? null : text),
};

const FIELDS = {
  key_hash: text('64 hex digits', (value) => (HASH.test(value.toLowerCase()) ? value.toLowerCase() : undefined)),
  id: text('a UUID', (value) => (UUID.test(value.toLowerCase()) ? value.toLowerCase() : undefined)),
  name: text(`1 to ${KEY_NAME_CHARACTERS_MAX} characters`, (value) =>
    value !== '' && [...value].length <= KEY_NAME_CHARACTERS_MAX && isStorable(value) ? value : undefined,
  ),
  prefix: text('the first 12 characters of a key', (value) => (PREFIX.test(value) ? value : undefined)),
  status: text('active, suspended or revoked', (value) =>
    value === 'active' || value === 'suspended' || value === 'revoked' ? value : undefined,
  ),
  rpm_limit: limit,
  rpd_limit: limit,
  monthly_limit: limit,
  monthly_token_limit: limit,
  max_concurrent: limit,
  allowed_models: {
    takes: 'names of models (in CSV with commas between them, or a JSON array), or none',
    parse: (value) => (value === null || isModels(value) ? value : undefined),
    fromCell: modelsFromCell,
  } satisfies Field<readonly string[] | null>,
  inject_stream_usage: {
    takes: 'true or false',
    parse: (value) => (typeof value === 'boolean' ? value : undefined),
    fromCell: (cell) => (/^(true|t|1)$/i.test(cell) ? true : /^(false|f|0)$/i.test(cell) ? false : cell),
  } satisfies Field<boolean>,
  expires_at: time,
  created_at: time,
  last_used_at: time,
};

type FieldName = keyof typeof FIELDS;
const REQUIRED: readonly FieldName[] = ['key_hash', 'name'];

/** @returns null when something was wrong with it, and said */
function keyFrom(values: Values, nowMs: number, complain: (problem: string) => void): ImportedKey | null {
  let good = true;
  const reject = (problem: string) => {
    good = false;
    complain(problem);
  };
  const parsed: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (!Object.hasOwn(FIELDS, name)) {
      reject(`unknown field '${name.slice(0, 64)}'`);
      continue;
    }
    const field: Field<unknown> = FIELDS[name as FieldName];
    parsed[name] = field.parse(value);
    if (parsed[name] === undefined) reject(`${name} takes ${field.takes}`);
  }
  for (const name of REQUIRED) if (!Object.hasOwn(values, name)) reject(`${name} is missing`);
  return good ? importedKey(parsed as Parsed, nowMs) : null;
}

type Parsed = { readonly [N in FieldName]?: Exclude<ReturnType<(typeof FIELDS)[N]['parse']>, undefined> } & {
  readonly key_hash: string;
  readonly name: string;
};

function importedKey(parsed: Parsed, nowMs: number): ImportedKey {
  // For the defaults of what is absent.
  const { key: fresh } = createKey({ name: parsed.name }, nowMs);
  const or = <T>(value: T | undefined, otherwise: T): T => (value === undefined ? otherwise : value);
  const key: ApiKey = {
    id: parsed.id ?? fresh.id,
    name: parsed.name,
    prefix: parsed.prefix ?? PREFIX_UNKNOWN,
    status: parsed.status ?? fresh.status,
    rpmLimit: or(parsed.rpm_limit, fresh.rpmLimit),
    rpdLimit: or(parsed.rpd_limit, fresh.rpdLimit),
    monthlyLimit: or(parsed.monthly_limit, fresh.monthlyLimit),
    monthlyTokenLimit: or(parsed.monthly_token_limit, fresh.monthlyTokenLimit),
    maxConcurrent: or(parsed.max_concurrent, fresh.maxConcurrent),
    allowedModels: or(parsed.allowed_models, fresh.allowedModels),
    injectStreamUsage: parsed.inject_stream_usage ?? fresh.injectStreamUsage,
    expiresAt: or(parsed.expires_at, fresh.expiresAt),
    createdAt: parsed.created_at ?? nowMs,
    updatedAt: nowMs,
    lastUsedAt: or(parsed.last_used_at, fresh.lastUsedAt),
  };
  return { key, keyHash: parsed.key_hash };
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
    const field: Field<unknown> | undefined = Object.hasOwn(FIELDS, name) ? FIELDS[name as FieldName] : undefined;
    values[name] = field?.fromCell ? field.fromCell(cell) : cell;
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

function text<T extends string>(takes: string, parse: (value: string) => T | undefined): Field<T> {
  return { takes, parse: (value) => (typeof value === 'string' ? parse(value) : undefined) };
}

function modelsFromCell(cell: string): unknown {
  if (isNone(cell)) return null;
  if (!cell.startsWith('[')) return cell.startsWith('{') ? undefined : cell.split(',').map((name) => name.trim());
  try {
    return JSON.parse(cell);
  } catch {
    return undefined;
  }
}

function isModels(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((model) => typeof model === 'string' && model !== '' && isStorable(model))
  );
}

function isNone(text: string): boolean {
  return text === 'none' || text === 'null';
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}
