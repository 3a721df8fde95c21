/** A time in three significant digits and the shortest unit. */
export function durationText(us: number): string {
  if (us >= 1e6) return `${significant(us / 1e6)} s`;
  if (us >= 1e3) return `${significant(us / 1e3)} ms`;
  return `${significant(us)} µs`;
}

/** 12,345 or 3.21. */
export function countText(count: number): string {
  return count >= 100 || Number.isInteger(count) ? Math.round(count).toLocaleString('en-US') : significant(count);
}

function significant(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
