/** A key with limits, and what tests of limits check. */
import { expect } from 'bun:test';
import { type Call, jsonOf, type Pair, PLAIN, UUID } from './pair.ts';
import type { RawAnswer } from './raw-client.ts';

export const LIMIT_REFUSALS = {
  minute: 'Rate limit exceeded: requests per minute',
  day: 'Rate limit exceeded: requests per day',
  month: 'Monthly request limit exceeded',
  tokens: 'Monthly token limit exceeded',
  concurrent: 'Rate limit exceeded: concurrent requests',
} as const;

interface LimitJson {
  readonly limit: number | null;
  readonly used: number;
  readonly remaining: number | null;
  readonly resets_at: string | null;
}

/** GET /v1/key */
export interface KeyJson {
  readonly limits: Record<
    'requests_per_minute' | 'requests_per_day' | 'requests_per_month' | 'tokens_per_month' | 'concurrent_requests',
    LimitJson
  >;
  readonly usage: Record<'today' | 'month', { readonly requests: number; readonly total_tokens: number }>;
}

interface LimitedKey {
  readonly id: string;
  readonly key: string;
  /** A plain chat request by default. */
  call(call?: Call): Promise<RawAnswer>;
  status(): Promise<KeyJson>;
}

/** A key with only the limits of these flags. */
export async function keyWith(p: Pair, ...flags: string[]): Promise<LimitedKey> {
  const none = ['--rpm-limit', '--rpd-limit'].filter((flag) => !flags.includes(flag)).flatMap((flag) => [flag, 'none']);
  const { id, key } = await p.gateway.createKey(...none, ...flags);
  const headers = { authorization: `Bearer ${key}` };
  return {
    id,
    key,
    call: (call = {}) => p.call({ body: PLAIN, ...call, headers: { ...headers, ...call.headers } }),
    status: async () => jsonOf(await p.call({ method: 'GET', path: '/v1/key', headers })) as KeyJson,
  };
}

/** Expects a correct refusal; returns its Retry-After in seconds. */
export function expectLimit(answer: RawAnswer, message: string): number {
  expect(answer.status).toBe(429);
  expect(jsonOf(answer)).toEqual({ error: { message, type: 'rate_limit_error', code: 'rate_limit_exceeded' } });
  expect(answer.header('content-type')).toBe('application/json');
  expect(answer.header('x-request-id')).toMatch(UUID);
  expect(answer.header('retry-after')).toMatch(/^\d+$/);
  return Number(answer.header('retry-after'));
}

/** Day and month counts restart at midnight: waits when it is near, so that a test does not run across it. */
export async function clearOfMidnight(): Promise<void> {
  const leftMs = dayEndMs() - Date.now();
  if (leftMs < MIDNIGHT_MARGIN_MS) await Bun.sleep(leftMs + 10);
}

/** A third of the time limit of a test or a hook. */
const MIDNIGHT_MARGIN_MS = 10_000;

export function dayEndMs(): number {
  return new Date().setUTCHours(24, 0, 0, 0);
}

export function monthEndMs(): number {
  return Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() + 1, 1);
}
