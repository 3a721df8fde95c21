/** The query parameters of the usage routes. An empty one counts as absent: `?key_id=&from=&to=` asks for everything. */
import { type Static, t } from 'elysia';
import { GatewayError } from '../errors.ts';
import { parseIsoDay, parseIsoTime } from '../keys/iso-time.ts';
import { firstIdOf } from '../usage/usage-record.ts';
import { invalidField, UNKNOWN_FIELD } from './refused-input.ts';
import type { UsageQuestion } from './usage-report.ts';

const DAY = 'a UTC date as YYYY-MM-DD';
const CURSOR = "a record's id, or an ISO 8601 time with its zone";
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const REQUESTS_DEFAULT = 50;
const REQUESTS_MAX = 1_000;

const text = t.Optional(t.String());
const strict = { additionalProperties: false, error: UNKNOWN_FIELD };

export const usageParameters = t.Object({ key_id: text, from: text, to: text }, strict);
export const requestsParameters = t.Object({ key_id: text, limit: text, before: text }, strict);

/** @throws GatewayError invalid_request, naming the parameter */
export function usageQuestionFrom(query: Static<typeof usageParameters>): UsageQuestion {
  const firstDay = dayFrom('from', query.from);
  const lastDay = dayFrom('to', query.to);
  if (firstDay !== undefined && lastDay !== undefined && firstDay > lastDay) {
    throw new GatewayError('invalid_request', "Invalid value for 'from': it is later than 'to'");
  }
  return { keyId: query.key_id || undefined, firstDay, lastDay };
}

/** @throws GatewayError invalid_request, naming the parameter */
export function requestsQuestionFrom(query: Static<typeof requestsParameters>) {
  const limit = query.limit ? wholeNumber(query.limit) : REQUESTS_DEFAULT;
  if (!(limit >= 1 && limit <= REQUESTS_MAX)) {
    throw invalidField('limit', `a whole number from 1 to ${REQUESTS_MAX}`);
  }
  return {
    limit,
    ...(query.key_id ? { keyId: query.key_id } : {}),
    ...(query.before ? { before: cursorFrom(query.before) } : {}),
  };
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
