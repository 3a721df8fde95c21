/** The query parameters of the usage routes. */
import { GatewayError } from '../errors.ts';
import { parseIsoDay, parseIsoTime } from '../keys/iso-time.ts';
import type { RecordsQuery } from '../store/store.ts';
import { type Finish, firstIdOf } from '../usage/usage-record.ts';
import { parseSummaryGroups, SUMMARY_GROUPS, type SummaryGroup, type SummaryQuery } from '../usage/usage-summary.ts';
import { choiceFrom, integerFrom, onlyParameters, type Query } from './query.ts';
import { invalidField } from './refused-input.ts';
import { LAST_DAY, type UsageReportQuery } from './usage-report.ts';

const DAY = 'a UTC date as YYYY-MM-DD';
const CURSOR = "a record's id, or an ISO 8601 time with its zone";
export const RECORD_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
export const FINISHES: readonly Finish[] = ['complete', 'client_closed', 'upstream_interrupted', 'error'];
export const REQUESTS_DEFAULT = 50;
export const REQUESTS_MAX = 1_000;
/** Of the numbers that are written in 15 digits, the largest. */
export const MIN_DURATION_MAX_MS = 999_999_999_999_999;

export const USAGE_PARAMETERS = ['key_id', 'from', 'to'] as const;
export const SUMMARY_PARAMETERS = ['group_by', 'from', 'to', 'key_id'] as const;
export const RECORDS_PARAMETERS = [
  'key_id',
  'request_id',
  'model',
  'endpoint',
  'finish',
  'status',
  'min_duration_ms',
  'limit',
  'before',
] as const;

/** @throws GatewayError invalid_request, naming the parameter */
export function usageQueryFrom(url: string): UsageReportQuery {
  const query = onlyParameters(url, USAGE_PARAMETERS);
  return { keyId: query.get('key_id'), ...daysFrom(query) };
}

/** Defaults: all days, grouped by key. @throws GatewayError invalid_request, naming the parameter */
export function summaryQueryFrom(url: string, rowsMax: number): SummaryQuery {
  const query = onlyParameters(url, SUMMARY_PARAMETERS);
  const { firstDay = 0, lastDay = LAST_DAY } = daysFrom(query);
  const keyId = query.get('key_id');
  return { groupBy: groupsFrom(query.get('group_by') ?? 'key'), firstDay, lastDay, rowsMax, ...(keyId && { keyId }) };
}

/** @throws GatewayError invalid_request, naming the parameter */
export function recordsQueryFrom(url: string): RecordsQuery {
  const query = onlyParameters(url, RECORDS_PARAMETERS);
  const before = query.get('before');
  const given = {
    keyId: query.get('key_id'),
    requestId: query.get('request_id'),
    model: query.get('model'),
    endpoint: query.get('endpoint'),
    finish: choiceFrom(query, 'finish', FINISHES),
    status: integerFrom(query, 'status', 100, 599),
    minDurationMs: integerFrom(query, 'min_duration_ms', 0, MIN_DURATION_MAX_MS),
    before: before === undefined ? undefined : cursorFrom(before),
  };
  return {
    limit: integerFrom(query, 'limit', 1, REQUESTS_MAX) ?? REQUESTS_DEFAULT,
    ...(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Partial<RecordsQuery>),
  };
}

function groupsFrom(text: string): readonly SummaryGroup[] {
  const groups = parseSummaryGroups(text);
  if (groups === null) throw invalidField('group_by', SUMMARY_GROUPS);
  return groups;
}

function daysFrom(query: Query) {
  const firstDay = dayFrom('from', query.get('from'));
  const lastDay = dayFrom('to', query.get('to'));
  if (firstDay !== undefined && lastDay !== undefined && firstDay > lastDay) {
    throw new GatewayError('invalid_request', "Invalid value for 'from': it is later than 'to'");
  }
  return { firstDay, lastDay };
}

function dayFrom(name: string, value: string | undefined): number | undefined {
  if (!value) return undefined;
  const day = parseIsoDay(value);
  if (day === null) throw invalidField(name, DAY);
  return day;
}

function cursorFrom(value: string): string {
  if (RECORD_ID.test(value)) return value;
  // An unescaped '+' in the zone arrives as a space.
  const time = parseIsoTime(value.replace(' ', '+'));
  if (time === null) throw invalidField('before', CURSOR);
  return firstIdOf(time);
}
