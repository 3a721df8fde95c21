/**
 * GET /v1/key: shows a key its limits, what is left of each and when it resets, and what it has used (contract, section 5).
 *
 * Looking costs nothing: it is not counted by the limits, takes no slot and leaves no usage record. The limits know a
 * request from its admission on; the usage below them is that of finished requests, up to 0.1 s behind.
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

/** Rejects only when something is wrong that the client cannot help. */
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

/** Of a key, what each limit is, what is used and left of it, and when that begins anew. */
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
