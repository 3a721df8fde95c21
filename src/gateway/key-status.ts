/**
 * GET /v1/key: the limits of a key, what remains of them and when they reset, and its usage (contract, section 5).
 *
 * The call is free: it counts against no limit, holds no permit and leaves no usage record. Limits count a request from its
 * admission on; the usage is that of finished requests, at most 0.1 s old.
 */
import { GatewayError } from '../errors.ts';
import { refusal } from '../http/refusal.ts';
import { requestIdOf } from '../http/request-id.ts';
import { isoOrNull } from '../keys/iso-time.ts';
import type { ApiKey } from '../keys/key.ts';
import type { KeyLimitStatus, LimitStatus } from '../limits/limiter.ts';
import { dayOf, daysOfMonth, monthOf } from '../limits/windows.ts';
import type { UsageDay } from '../usage/usage-totals.ts';
import { authenticate } from './authenticate.ts';
import type { Gateway } from './gateway.ts';

/** Rejects only on internal errors. */
export async function keyStatus(request: Request, gateway: Gateway): Promise<Response> {
  const requestId = requestIdOf(request.headers);
  try {
    const key = await authenticate(request, gateway.keys);
    const nowMs = Date.now();
    const { first, last } = daysOfMonth(monthOf(nowMs));
    const [limits, days] = await Promise.all([
      gateway.limiter.status(key, nowMs),
      gateway.usage.usageDays(key.id, first, last).catch(unreadable),
    ]);
    return Response.json(statusJson(key, limits, days, dayOf(nowMs)), { headers: { 'x-request-id': requestId } });
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return refusal(request, error, { requestId });
  }
}

function unreadable(cause: unknown): never {
  throw new GatewayError('overloaded', 'Usage cannot be read at the moment, try again', { retryAfterS: 1, cause });
}

function statusJson(key: ApiKey, limits: KeyLimitStatus, days: readonly UsageDay[], today: number) {
  return {
    id: key.id,
    name: key.name,
    prefix: key.prefix,
    status: key.status,
    expires_at: isoOrNull(key.expiresAt),
    allowed_models: key.allowedModels,
    allowed_endpoints: key.allowedEndpoints,
    limits: limitsToJson(limits),
    usage: {
      today: usageJson(days.filter((day) => day.day === today)),
      month: usageJson(days),
    },
  };
}

/** Each limit of a key: its value, what is used, what remains, and when it resets. */
export function limitsToJson(limits: KeyLimitStatus) {
  return {
    requests_per_minute: limitJson(limits.requestsPerMinute),
    requests_per_day: limitJson(limits.requestsPerDay),
    requests_per_month: limitJson(limits.requestsPerMonth),
    tokens_per_month: limitJson(limits.tokensPerMonth),
    concurrent_requests: limitJson(limits.concurrent),
  };
}

function limitJson({ limit, used, resetsAtMs }: LimitStatus) {
  return {
    limit,
    used,
    remaining: limit === null ? null : Math.max(0, limit - used),
    resets_at: isoOrNull(resetsAtMs),
  };
}

function usageJson(days: readonly UsageDay[]) {
  const sum = (count: (day: UsageDay) => number) => days.reduce((total, day) => total + count(day), 0);
  return {
    requests: sum((day) => day.requests),
    prompt_tokens: sum((day) => day.promptTokens),
    completion_tokens: sum((day) => day.completionTokens),
    total_tokens: sum((day) => day.totalTokens),
  };
}
