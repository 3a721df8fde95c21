/** Keys as text: the table of `bve keys list`, and one key after `create` and `update`. */
import type { ApiKey } from '../keys/key.ts';
import { textTable } from './text-table.ts';

/** Aligned columns with a heading, one line for each key. */
export function keyTable(keys: readonly ApiKey[], nowMs: number): string {
  const rows = [
    ['ID', 'PREFIX', 'STATUS', 'CREATED', 'LAST USED', 'LIMITS', 'NAME'],
    ...keys.map((key) => [
      key.id,
      key.prefix,
      key.status === 'active' && key.expiresAt !== null && key.expiresAt <= nowMs ? 'expired' : key.status,
      minuteOf(key.createdAt),
      key.lastUsedAt === null ? 'never' : minuteOf(key.lastUsedAt),
      limitsOf(key),
      printable(key.name),
    ]),
  ];
  // The name is last because its width on the screen is unknown.
  return textTable(rows);
}

/** The fields of one key, one on each line. */
export function describeKey(key: ApiKey): string {
  const rows = [
    ['id', key.id],
    ['name', printable(key.name)],
    ['limits', limitsOf(key)],
    ['models', listOf(key.allowedModels)],
    ['endpoints', listOf(key.allowedEndpoints)],
    ['expires', key.expiresAt === null ? 'never' : new Date(key.expiresAt).toISOString()],
    ...(key.injectStreamUsage === null ? [] : [['usage', key.injectStreamUsage ? 'asked for' : 'not asked for']]),
    ...(key.onLeave === null ? [] : [['on leave', key.onLeave]]),
    ...Object.entries(key.tags).map(([name, text]) => ['tag', `${name}=${printable(text)}`]),
  ];
  return rows.map(([name, text]) => `${name!.padEnd(11)}${text}\n`).join('');
}

function listOf(names: readonly string[] | null): string {
  return names === null ? 'all' : names.map(printable).join(', ');
}

/** The limits that are set, e.g. `60/min 10000/day`. */
function limitsOf(key: ApiKey): string {
  const limits = [
    limit(key.rpmLimit, '/min'),
    limit(key.rpdLimit, '/day'),
    limit(key.monthlyLimit, '/month'),
    limit(key.monthlyTokenLimit, ' tokens/month'),
    limit(key.maxConcurrent, ' at once'),
  ];
  return limits.filter((text) => text !== '').join(' ') || 'none';
}

/** Replaces control and direction characters: names are free text and must not control the terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '\uFFFD');
}

function limit(value: number | null, unit: string): string {
  return value === null ? '' : `${value}${unit}`;
}

/** UTC, without seconds. */
function minuteOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
}
