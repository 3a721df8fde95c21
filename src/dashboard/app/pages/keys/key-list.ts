/** Search, states and order of the list of keys: all of them are here, so nothing is asked for. */
import type { KeyObject, ShownKeyState } from '../../api/api-types.ts';
import type { Sorting } from '../../ui/sorting.ts';

export const STATUS_CHOICES = ['all', 'active', 'suspended', 'expired', 'revoked'] as const;
export type StatusChoice = (typeof STATUS_CHOICES)[number];

/** An active key whose time is over is refused, so it is not shown as active. */
export function shownStatus(key: KeyObject, nowMs: number): ShownKeyState {
  const isOver = key.expires_at !== null && Date.parse(key.expires_at) <= nowMs;
  return isOver && key.status === 'active' ? 'expired' : key.status;
}

export function countByStatus(keys: readonly KeyObject[], nowMs: number): Readonly<Record<StatusChoice, number>> {
  const counts = { all: keys.length, active: 0, suspended: 0, expired: 0, revoked: 0 };
  for (const key of keys) counts[shownStatus(key, nowMs)]++;
  return counts;
}

/** Every word must occur in the name, the prefix, the id or a tag. */
export function findKeys(keys: readonly KeyObject[], text: string, status: StatusChoice, nowMs: number): KeyObject[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return keys.filter((key) => {
    if (status !== 'all' && shownStatus(key, nowMs) !== status) return false;
    if (words.length === 0) return true;
    const all = `${key.name} ${key.prefix} ${key.id} ${tagTexts(key).join(' ')}`.toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

export function tagTexts(key: KeyObject): string[] {
  return Object.entries(key.tags ?? {}).map(([name, value]) => `${name}=${value}`);
}

const NAMES = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

type Comparison = (a: KeyObject, b: KeyObject) => number;

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  name: (a, b) => NAMES.compare(a.name, b.name),
  status: (a, b) => (a.status < b.status ? -1 : a.status > b.status ? 1 : 0),
  used: (a, b) => compareTimes(a.last_used_at, b.last_used_at),
  created: (a, b) => compareTimes(a.created_at, b.created_at),
};

export function sortKeys(keys: readonly KeyObject[], { column, descending }: Sorting): KeyObject[] {
  const compare = COMPARISONS[column] ?? COMPARISONS.created!;
  const sorted = [...keys].sort(compare);
  return descending ? sorted.reverse() : sorted;
}

/** ISO 8601 in UTC sorts as text; what never happened comes first. */
function compareTimes(a: string | null, b: string | null): number {
  const left = a ?? '';
  const right = b ?? '';
  return left < right ? -1 : left > right ? 1 : 0;
}
