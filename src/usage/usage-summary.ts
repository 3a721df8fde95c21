/**
 * Usage added up by key, model, day, month or tag, or by two of them: GET /admin/usage/summary (contract, section 7).
 * A store says what keys used of models on days; `SummaryTable` adds that up into the groups that were asked for.
 */
import { dayStartMs } from '../limits/windows.ts';

/** `tag:NAME` is the value that the key has now for this tag. */
export type SummaryGroup = 'key' | 'model' | 'day' | 'month' | `tag:${string}`;

/** What `parseSummaryGroups` takes, in words. */
export const SUMMARY_GROUPS = 'key, model, day, month or tag:NAME, or two of them with a comma between';
const GROUP_PATTERN = '(key|model|day|month|tag:[a-z0-9_-]{1,32})';
const GROUP = new RegExp(`^${GROUP_PATTERN}$`);
/** The same as a regular expression; that two of them differ is not in it. */
export const SUMMARY_GROUPS_PATTERN = `^${GROUP_PATTERN}(,${GROUP_PATTERN})?$`;

/** null: it is not one group, or two different ones. */
export function parseSummaryGroups(text: string): readonly SummaryGroup[] | null {
  const groups = text.split(',');
  const isTaken = groups.length <= 2 && groups.every((group) => GROUP.test(group)) && groups[0] !== groups[1];
  return isTaken ? (groups as SummaryGroup[]) : null;
}

export interface SummaryQuery {
  /** One or two. */
  readonly groupBy: readonly SummaryGroup[];
  /** All keys without it. */
  readonly keyId?: string;
  /** Days since 1970, both included. */
  readonly firstDay: number;
  readonly lastDay: number;
  /** Reading ends when there are more rows than this, so that one more tells that there were more. */
  readonly rowsMax: number;
}

export interface SummaryCounts {
  readonly requests: number;
  /** Those that ended as `error` or `upstream_interrupted`. */
  readonly errors: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly completionTokens: number;
  readonly reasoningTokens: number;
  readonly totalTokens: number;
}

interface SummaryRow extends SummaryCounts {
  /** One value for each group asked for: a key's id, a model, YYYY-MM-DD, YYYY-MM, a tag's value; null: it has none. */
  readonly group: readonly (string | null)[];
}

export interface UsageSummary {
  /** Newest first when days or months are asked for, else those with the most tokens first. */
  readonly rows: readonly SummaryRow[];
  readonly total: SummaryCounts;
}

/** What is to be added up, with what the groups asked for need of it. */
interface SummaryPart extends SummaryCounts {
  readonly keyId: string;
  /** '' for none. */
  readonly model: string;
  readonly day: number;
}

/** A tag of keys, by the keys' ids; keys without it are absent. */
export type TagValues = ReadonlyMap<string, string>;

const ZERO: SummaryCounts = {
  requests: 0,
  errors: 0,
  promptTokens: 0,
  cachedTokens: 0,
  completionTokens: 0,
  reasoningTokens: 0,
  totalTokens: 0,
};

export class SummaryTable {
  readonly #groupBy: readonly SummaryGroup[];
  readonly #tags: ReadonlyMap<SummaryGroup, TagValues>;
  readonly #rows = new Map<string, SummaryRow>();
  #total = ZERO;

  /** @param tags the values of each tag that `groupBy` names */
  constructor(groupBy: readonly SummaryGroup[], tags: ReadonlyMap<SummaryGroup, TagValues>) {
    this.#groupBy = groupBy;
    this.#tags = tags;
  }

  get size(): number {
    return this.#rows.size;
  }

  add(part: SummaryPart): void {
    const group = this.#groupBy.map((name) => this.#valueOf(name, part));
    const id = JSON.stringify(group);
    this.#rows.set(id, { group, ...sum(this.#rows.get(id) ?? ZERO, part) });
    this.#total = sum(this.#total, part);
  }

  toSummary(): UsageSummary {
    const time = this.#groupBy.findIndex((name) => name === 'day' || name === 'month');
    const rows = [...this.#rows.values()].sort(
      (a, b) =>
        (time === -1 ? 0 : compareTexts(b.group[time]!, a.group[time]!)) ||
        b.totalTokens - a.totalTokens ||
        b.requests - a.requests ||
        compareTexts(JSON.stringify(a.group), JSON.stringify(b.group)),
    );
    return { rows, total: this.#total };
  }

  #valueOf(name: SummaryGroup, { keyId, model, day }: SummaryPart): string | null {
    switch (name) {
      case 'key':
        return keyId;
      case 'model':
        return model || null;
      case 'day':
        return isoDate(day);
      case 'month':
        return isoDate(day).slice(0, 7);
      default:
        return this.#tags.get(name)?.get(keyId) ?? null;
    }
  }
}

function sum(a: SummaryCounts, b: SummaryCounts): SummaryCounts {
  return {
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    promptTokens: a.promptTokens + b.promptTokens,
    cachedTokens: a.cachedTokens + b.cachedTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    reasoningTokens: a.reasoningTokens + b.reasoningTokens,
    totalTokens: a.totalTokens + b.totalTokens,
  };
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isoDate(day: number): string {
  return new Date(dayStartMs(day)).toISOString().slice(0, 10);
}
