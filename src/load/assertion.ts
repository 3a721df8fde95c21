/** `--assert 'ttfb_p99<200ms'`: what can be asserted, how it is written, and whether it holds. */

import type { Report } from './report-data.ts';
import type { Distribution } from './statistics.ts';

/** The assertion cannot be parsed; the message says what is allowed. */
export class AssertionSyntaxError extends Error {
  override name = 'AssertionSyntaxError';
}

const OPERATORS = {
  '<': (a: number, b: number) => a < b,
  '<=': (a: number, b: number) => a <= b,
  '>': (a: number, b: number) => a > b,
  '>=': (a: number, b: number) => a >= b,
  '=': (a: number, b: number) => a === b,
} as const;
type Operator = keyof typeof OPERATORS;

export interface Assertion {
  readonly text: string;
  readonly field: string;
  readonly operator: Operator;
  /** Microseconds for a time. */
  readonly limit: number;
  /** As written. */
  readonly unit: string;
}

export interface Verdict {
  readonly assert: string;
  readonly holds: boolean;
  /** In the unit of the assertion; null when nothing of the kind was measured. */
  readonly value: number | null;
}

const UNITS_US: Readonly<Record<string, number>> = { us: 1, ms: 1_000, s: 1_000_000 };

const TIMES: Readonly<Record<string, (report: Report) => Distribution>> = {
  ttfb: (report) => report.ttfb_us,
  first_event: (report) => report.first_event_us,
  gap: (report) => report.gap_us,
  jitter: (report) => report.jitter_us,
  total: (report) => report.total_us,
  loop_lag: (report) => report.harness.loop_lag_us,
  arrival_lag: (report) => report.harness.arrival_lag_us,
};
const STATISTICS = ['min', 'p50', 'p90', 'p99', 'p999', 'max', 'mean'] as const;

const NUMBERS: Readonly<Record<string, (report: Report) => number>> = {
  errors: (report) => report.errors.total,
  truncated: (report) => report.streams.truncated,
  order_violations: (report) => report.order.violations,
  dropped: (report) => report.streams.dropped,
  streams: (report) => report.streams.started,
  complete: (report) => report.streams.complete,
  abandoned: (report) => report.streams.abandoned,
  different_bodies: (report) => report.bodies?.different ?? 0,
  streams_per_s: (report) => report.rates.streams_per_s,
  events_per_s: (report) => report.rates.events_per_s,
  tokens_per_s: (report) => report.rates.tokens_per_s,
  bytes_per_s: (report) => report.rates.bytes_per_s,
  cpu_share: (report) => report.harness.cpu_share,
};
const ERROR_KIND =
  /^errors_(connect|tls|reset|timeout|http_[1-9]\d\d|framing|not_sse|bad_sse|stream_error|truncated|unfinished)$/;

/** @throws AssertionSyntaxError */
export function parseAssertion(text: string): Assertion {
  const match = /^\s*([a-z][a-z0-9_]*)\s*(<=|>=|<|>|=)\s*(\d+(?:\.\d+)?)\s*([a-z%]*)\s*$/.exec(text);
  if (!match) {
    throw new AssertionSyntaxError(`'${text}' is not of the form FIELD OPERATOR NUMBER[UNIT], e.g. ttfb_p99<200ms`);
  }
  const [, field, operator, number, unit] = match as unknown as [string, string, Operator, string, string];
  if (isTime(field)) {
    const factor = Object.hasOwn(UNITS_US, unit) ? UNITS_US[unit] : undefined;
    if (factor === undefined)
      throw new AssertionSyntaxError(`'${text}': ${field} is a time and takes a unit: us, ms or s`);
    return { text, field, operator, limit: Number(number) * factor, unit };
  }
  if (!Object.hasOwn(NUMBERS, field) && !ERROR_KIND.test(field)) {
    throw new AssertionSyntaxError(`'${text}': unknown field '${field}'; known: ${knownFields()}`);
  }
  if (unit !== '') throw new AssertionSyntaxError(`'${text}': ${field} is a number and takes no unit`);
  return { text, field, operator, limit: Number(number), unit };
}

/** The fields that can be asserted, for help and error messages. */
export function knownFields(): string {
  return `(${Object.keys(TIMES).join('|')})_(${STATISTICS.join('|')}), ${Object.keys(NUMBERS).join(', ')}, errors_KIND`;
}

/** An assertion on something that was not measured fails: no data is no success. */
export function judge(assertion: Assertion, report: Report): Verdict {
  const { text, operator, limit, unit } = assertion;
  const value = figureOf(assertion.field, report);
  const holds = value !== undefined && OPERATORS[operator](value, limit);
  const shown = value === undefined ? null : value / (UNITS_US[unit] ?? 1);
  return { assert: text, holds, value: shown === null ? null : Math.round(shown * 1000) / 1000 };
}

function isTime(field: string): boolean {
  const [name, statistic] = splitTime(field);
  return Object.hasOwn(TIMES, name) && STATISTICS.some((known) => known === statistic);
}

function splitTime(field: string): [name: string, statistic: string] {
  const at = field.lastIndexOf('_');
  return [field.slice(0, at), field.slice(at + 1)];
}

function figureOf(field: string, report: Report): number | undefined {
  if (isTime(field)) {
    const [name, statistic] = splitTime(field);
    const figures = TIMES[name]!(report);
    return figures.count === 0 ? undefined : figures[statistic as (typeof STATISTICS)[number]];
  }
  const kind = ERROR_KIND.exec(field);
  if (kind) return report.errors.by_kind[kind[1]!]?.count ?? 0;
  return NUMBERS[field]!(report);
}
