/** The limits of a key in few words. */
import type { KeyLimitName, KeyObject } from '../../api/api-types.ts';
import { formatCompact } from '../../format/numbers.ts';

export const LIMIT_TITLES: Readonly<Record<KeyLimitName, string>> = {
  requests_per_minute: 'Requests per minute',
  requests_per_day: 'Requests per day',
  requests_per_month: 'Requests per month',
  tokens_per_month: 'Tokens per month',
  concurrent_requests: 'Requests at once',
};

export function limitText(key: KeyObject): string {
  const parts = [
    part(key.rpm_limit, '/min'),
    part(key.rpd_limit, '/day'),
    part(key.monthly_limit, '/month'),
    part(key.monthly_token_limit, ' tokens/month'),
    part(key.max_concurrent, ' at once'),
  ].filter((text) => text !== null);
  return parts.length === 0 ? 'no limits' : parts.join(' · ');
}

function part(limit: number | null, unit: string): string | null {
  return limit === null ? null : `${formatCompact(limit)}${unit}`;
}
