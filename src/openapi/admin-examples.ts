/** Answers of the admin API, as the document shows them. */

import { usageRecordToJson, usageReportToJson } from '../admin/usage-report.ts';
import { summaryToJson } from '../admin/usage-summary-json.ts';
import { mapFields } from '../keys/fields.ts';
import { keyToJson } from '../keys/key.ts';
import { dayOf, monthOf } from '../limits/windows.ts';

const ID = '0f9a6c1e-3f0b-4c55-8a3e-5d2b7c9e1f10';
const AT_MS = Date.UTC(2030, 0, 31, 12);

export const NEW_KEY = { name: 'search team', rpm_limit: 600, allowed_models: ['gpt-4o'], tags: { team: 'search' } };

const values = mapFields(
  (_property, field) => field.parse(NEW_KEY[field.name as keyof typeof NEW_KEY]) ?? field.default,
);

export const KEY = keyToJson({
  ...values,
  id: ID,
  prefix: 'sk-bve-3a8fc',
  status: 'active',
  createdAt: AT_MS,
  updatedAt: AT_MS,
  lastUsedAt: null,
});

export const KEY_WITH_SECRET = { ...KEY, key: `sk-bve-3a8fc${'0'.repeat(59)}` };

const RESETS_AT = new Date(AT_MS + 60_000).toISOString();
const UNLIMITED = { limit: null, used: 3, remaining: null, resets_at: null };
const LIMITS = {
  requests_per_minute: { limit: 600, used: 3, remaining: 597, resets_at: RESETS_AT },
  requests_per_day: { limit: 10_000, used: 3, remaining: 9_997, resets_at: '2030-02-01T00:00:00.000Z' },
  requests_per_month: UNLIMITED,
  tokens_per_month: UNLIMITED,
  concurrent_requests: UNLIMITED,
};

export const KEY_WITH_LIMITS = { ...KEY, limits: LIMITS };

const TOKENS = { requests: 3, prompt_tokens: 90, completion_tokens: 120, total_tokens: 210 };
export const KEY_STATUS = {
  id: ID,
  name: KEY.name,
  prefix: KEY.prefix,
  status: KEY.status,
  expires_at: null,
  allowed_models: NEW_KEY.allowed_models,
  allowed_endpoints: null,
  limits: LIMITS,
  usage: { today: TOKENS, month: TOKENS },
};

const TOTALS = {
  keyId: ID,
  requests: 3,
  promptTokens: 90,
  cachedTokens: 0,
  completionTokens: 120,
  reasoningTokens: 0,
  totalTokens: 210,
  updatedAt: AT_MS,
};

export const USAGE = usageReportToJson({
  daily: [{ ...TOTALS, day: dayOf(AT_MS) }],
  monthly: [{ ...TOTALS, month: monthOf(AT_MS) }],
});

const COUNTS = { ...TOTALS, errors: 0 };
export const SUMMARY = summaryToJson({ rows: [{ ...COUNTS, group: [ID] }], total: COUNTS });

export const RECORD = usageRecordToJson({
  id: '01944c3e-7b10-7000-8000-3f0b4c558a3e',
  requestId: '6f1c2b7e-6a0e-4f5c-9d53-0c7a3a3c1c55',
  upstreamRequestId: null,
  keyId: ID,
  endpoint: '/v1/chat/completions',
  model: 'gpt-4o',
  status: 200,
  streamed: true,
  startedAt: AT_MS,
  admittedAt: AT_MS,
  sentMs: 1,
  headMs: 310,
  ttfbMs: 312,
  durationMs: 1840,
  cancelMs: null,
  bytesOut: 5120,
  finish: 'complete',
  errorCode: null,
  target: 'fuelix',
  attempts: 1,
  promptTokens: 30,
  cachedTokens: 0,
  completionTokens: 40,
  reasoningTokens: 0,
  totalTokens: 70,
  usageSource: 'upstream',
});

export const TARGETS = {
  targets: [
    {
      name: 'fuelix',
      state: 'up',
      in_flight: 2,
      attempts: 5021,
      failures: 3,
      quota_available: null,
      quota_reset: null,
      rests_until: null,
    },
  ],
};

const SNAPSHOT = {
  at: new Date(AT_MS).toISOString(),
  in_flight: 2,
  streams: 1,
  requests_per_s: 12.5,
  tokens_per_s: 840,
  ttfb_ms: { p50: 310, p95: 620, p99: 900 },
  errors: { rate_limit_exceeded: 1 },
  targets: TARGETS.targets,
};

export const LIVE = `event: snapshot\ndata: ${JSON.stringify(SNAPSHOT)}\n\nevent: request\ndata: ${JSON.stringify(RECORD)}\n\n`;
