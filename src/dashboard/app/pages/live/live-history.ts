/**
 * The snapshots of the last minutes as columns of numbers, the form that the plots take. Bounded: the oldest goes when a new
 * one comes. A gap in time gets a row without values, so that a plot shows a gap and not a line across it.
 */
import type { LiveSnapshot } from '../../api/api-types.ts';

/** Fifteen minutes. */
export const HISTORY_SECONDS_MAX = 900;
const GAP_S = 3;

export const LIVE_COLUMNS = ['requests', 'tokens', 'inFlight', 'streams', 'p50', 'p95', 'p99', 'errors'] as const;
export type LiveColumn = (typeof LIVE_COLUMNS)[number];

type Cell = number | null;

export class LiveHistory {
  /** Seconds since 1970. */
  readonly #times: number[] = [];
  readonly #columns: Record<LiveColumn, Cell[]> = {
    requests: [],
    tokens: [],
    inFlight: [],
    streams: [],
    p50: [],
    p95: [],
    p99: [],
    errors: [],
  };

  get length(): number {
    return this.#times.length;
  }

  add(snapshot: LiveSnapshot): void {
    const time = Date.parse(snapshot.at) / 1000;
    const last = this.#times.at(-1);
    // A plot needs ascending times; a clock that was set back begins a new history.
    if (last !== undefined && time <= last) {
      if (time > last - GAP_S) return;
      this.clear();
    } else if (last !== undefined && time - last > GAP_S) this.#push(last + 1, null);
    this.#push(time, snapshot);
  }

  clear(): void {
    this.#times.length = 0;
    for (const name of LIVE_COLUMNS) this.#columns[name].length = 0;
  }

  /** The last `seconds`: the times, then the named columns. */
  tail(seconds: number, names: readonly LiveColumn[]): [number[], ...Cell[][]] {
    const end = this.#times.at(-1) ?? 0;
    let first = this.#times.length;
    while (first > 0 && this.#times[first - 1]! > end - seconds) first--;
    return [this.#times.slice(first), ...names.map((name) => this.#columns[name].slice(first))];
  }

  #push(time: number, snapshot: LiveSnapshot | null): void {
    this.#times.push(time);
    for (const name of LIVE_COLUMNS) this.#columns[name].push(snapshot === null ? null : cellOf(snapshot, name));
    if (this.#times.length <= HISTORY_SECONDS_MAX) return;
    this.#times.shift();
    for (const name of LIVE_COLUMNS) this.#columns[name].shift();
  }
}

function cellOf(snapshot: LiveSnapshot, name: LiveColumn): Cell {
  switch (name) {
    case 'requests':
      return snapshot.requests_per_s;
    case 'tokens':
      return snapshot.tokens_per_s;
    case 'inFlight':
      return snapshot.in_flight;
    case 'streams':
      return snapshot.streams;
    case 'errors':
      return errorCount(snapshot);
    default:
      return snapshot.ttfb_ms[name];
  }
}

export function errorCount(snapshot: LiveSnapshot): number {
  let count = 0;
  for (const code in snapshot.errors) count += snapshot.errors[code]!;
  return count;
}
