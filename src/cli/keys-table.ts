/** Keys as text for people: `bve keys list`, and one key after `create` and `update`. */
import type { ApiKey } from '../keys/key.ts';
import { textTable } from './text-table.ts';

/** Aligned columns, one line a key, with a heading. */
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
  // The name comes last: it is the one that may be long, or wider than its count of characters.
  return textTable(rows);
}

/** All fields of a key that are not as in any other, one a line. */
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

/** Only the limits there are, e.g. `60/min 10000/day`. */
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

/** Without control and direction characters: a name is free text and must not steer the terminal it is shown on. */
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
