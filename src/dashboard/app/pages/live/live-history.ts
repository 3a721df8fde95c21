/**
 * The snapshots of the last minutes as columns of numbers, the form that the plots take. Bounded: the oldest goes when a new
 * one comes. A gap in time gets a row without values, so that a plot shows a gap and not a line across it.
 */
import type { LiveSnapshot } from '../../api/api-types.ts';

/** Fifteen minutes. */
export const HISTORY_SECONDS_MAX = 900;
const GAP_S = 3;

const LIVE_COLUMNS = ['requests', 'tokens', 'inFlight', 'streams', 'p50', 'p95', 'p99'] as const;
export type LiveColumn = (typeof LIVE_COLUMNS)[number];
/** Codes come from a closed set; whatever comes, no more columns than this. */
const ERROR_CODES_MAX = 40;

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
  };
  /** A column for each code seen so far. */
  readonly #errors = new Map<string, Cell[]>();

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
    this.#errors.clear();
  }

  /** The last `seconds`: the times, then the named columns. */
  tail(seconds: number, names: readonly LiveColumn[]): [number[], ...Cell[][]] {
    const end = this.#times.at(-1) ?? 0;
    let first = this.#times.length;
    while (first > 0 && this.#times[first - 1]! > end - seconds) first--;
    return [this.#times.slice(first), ...names.map((name) => this.#columns[name].slice(first))];
  }

  /** The codes of the last `seconds`, the most frequent first. */
  errorCodes(seconds: number): string[] {
    const [times] = this.tail(seconds, []);
    const first = this.#times.length - times.length;
    const sums = [...this.#errors].map(([code, cells]) => {
      let sum = 0;
      for (let i = first; i < cells.length; i++) sum += cells[i] ?? 0;
      return { code, sum };
    });
    return sums
      .filter(({ sum }) => sum > 0)
      .sort((a, b) => b.sum - a.sum)
      .map(({ code }) => code);
  }

  /** As `tail`, a column for each of these codes. */
  errorTail(seconds: number, codes: readonly string[]): [number[], ...Cell[][]] {
    const [times] = this.tail(seconds, []);
    const first = this.#times.length - times.length;
    return [times, ...codes.map((code) => this.#errors.get(code)?.slice(first) ?? times.map(() => 0))];
  }

  #push(time: number, snapshot: LiveSnapshot | null): void {
    const before = this.#times.length;
    this.#times.push(time);
    for (const name of LIVE_COLUMNS) this.#columns[name].push(snapshot === null ? null : cellOf(snapshot, name));
    for (const code in snapshot?.errors) {
      if (this.#errors.has(code) || this.#errors.size >= ERROR_CODES_MAX) continue;
      this.#errors.set(code, new Array<Cell>(before).fill(0));
    }
    for (const [code, cells] of this.#errors) cells.push(snapshot === null ? null : (snapshot.errors[code] ?? 0));
    if (this.#times.length <= HISTORY_SECONDS_MAX) return;
    this.#times.shift();
    for (const name of LIVE_COLUMNS) this.#columns[name].shift();
    for (const cells of this.#errors.values()) cells.shift();
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
    default:
      return snapshot.ttfb_ms[name];
  }
}

export function errorCount(snapshot: LiveSnapshot): number {
  let count = 0;
  for (const code in snapshot.errors) count += snapshot.errors[code]!;
  return count;
}
