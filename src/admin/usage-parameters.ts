/** The query parameters of the usage routes. */
import { GatewayError } from '../errors.ts';
import { parseIsoDay, parseIsoTime } from '../keys/iso-time.ts';
import { firstIdOf } from '../usage/usage-record.ts';
import { onlyParameters } from './query.ts';
import { invalidField } from './refused-input.ts';
import type { UsageQuestion } from './usage-report.ts';

const DAY = 'a UTC date as YYYY-MM-DD';
const CURSOR = "a record's id, or an ISO 8601 time with its zone";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const REQUESTS_DEFAULT = 50;
const REQUESTS_MAX = 1_000;

/** @throws GatewayError invalid_request, naming the parameter */
export function usageQuestionFrom(url: string): UsageQuestion {
  const query = onlyParameters(url, ['key_id', 'from', 'to']);
  const firstDay = dayFrom('from', query.get('from'));
  const lastDay = dayFrom('to', query.get('to'));
  if (firstDay !== undefined && lastDay !== undefined && firstDay > lastDay) {
    throw new GatewayError('invalid_request', "Invalid value for 'from': it is later than 'to'");
  }
  return { keyId: query.get('key_id'), firstDay, lastDay };
}

/** @throws GatewayError invalid_request, naming the parameter */
export function requestsQuestionFrom(url: string) {
  const query = onlyParameters(url, ['key_id', 'limit', 'before']);
  const limit = wholeNumber(query.get('limit') ?? String(REQUESTS_DEFAULT));
  if (!(limit >= 1 && limit <= REQUESTS_MAX)) {
    throw invalidField('limit', `a whole number from 1 to ${REQUESTS_MAX}`);
  }
  const keyId = query.get('key_id');
  const before = query.get('before');
  return { limit, ...(keyId ? { keyId } : {}), ...(before ? { before: cursorFrom(before) } : {}) };
}

function dayFrom(name: string, value: string | undefined): number | undefined {
  if (!value) return undefined;
  const day = parseIsoDay(value);
  if (day === null) throw invalidField(name, DAY);
  return day;
}

function cursorFrom(value: string): string {
  if (UUID.test(value)) return value;
  // A '+' of the zone that was not escaped arrives as a space.
  const time = parseIsoTime(value.replace(' ', '+'));
  if (time === null) throw invalidField('before', CURSOR);
  return firstIdOf(time);
}

function wholeNumber(value: string): number {
  return /^\d{1,9}$/.test(value) ? Number(value) : Number.NaN;
}
