/** Numbers as they are shown: digits in groups of three, a unit that fits, always the same form for the same kind. */

const GROUPED = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 3 });

/** What is shown for a number that is not known. */
export const NOTHING = '–';

export function formatCount(value: number | null | undefined): string {
  return value === null || value === undefined ? NOTHING : GROUPED.format(value);
}

/** 1.24K, 3.1M: where room is scarce. */
export function formatCompact(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  return Math.abs(value) < 10_000 ? formatDecimal(value) : COMPACT.format(value);
}

/** Few digits behind the point, and none for large numbers. */
export function formatDecimal(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return GROUPED.format(Math.round(value));
  return size >= 10 ? value.toFixed(1) : value.toFixed(size >= 1 ? 1 : 2);
}

/** A length of time given in milliseconds. */
export function formatMs(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return NOTHING;
  if (ms < 10) return `${trimZero(ms.toFixed(1))} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(2)} s`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

export function formatBytes(bytes: number | null | undefined): string {
  if (bytes === null || bytes === undefined) return NOTHING;
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${formatDecimal(bytes / 1000)} kB`;
  if (bytes < 1_000_000_000) return `${formatDecimal(bytes / 1_000_000)} MB`;
  return `${formatDecimal(bytes / 1_000_000_000)} GB`;
}

export function formatShare(part: number, whole: number): string {
  if (whole === 0) return NOTHING;
  const percent = (part / whole) * 100;
  if (percent === 0) return '0%';
  return percent < 0.1 ? '<0.1%' : `${trimZero(percent.toFixed(1))}%`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

function trimZero(text: string): string {
  return text.endsWith('.0') ? text.slice(0, -2) : text;
}
