/** Keys and usage records of a gateway that has been busy for three months: as many as asked for, the same for the same seed. */
import type { KeyObject, RequestFinish, RequestRecord } from '../../src/dashboard/app/api/api-types.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';

const TEAMS = ['search', 'support', 'research', 'mobile', 'data', 'billing'];
const USES = ['chat', 'summaries', 'nightly batch', 'classifier', 'playground', 'evals', 'agents', 'import'];
const MODELS = [
  'gpt-4o',
  'gpt-4o-mini',
  'claude-sonnet-4',
  'claude-haiku-4',
  'gemini-2.5-pro',
  'llama-3.3-70b',
  'text-embedding-3',
];
const ENDPOINTS = [
  '/v1/chat/completions',
  '/v1/chat/completions',
  '/v1/chat/completions',
  '/v1/messages',
  '/v1/responses',
];
const TARGETS = ['fuelix-1', 'fuelix-2', 'fuelix-3'];
const DAY_MS = 86_400_000;
const HISTORY_DAYS = 92;

export function makeKeys(count: number, nowMs: number, seed = 1): KeyObject[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, (_, i) =>
    makeKey(random, i, nowMs - i * Math.min(600_000, (HISTORY_DAYS * DAY_MS) / count)),
  );
}

function makeKey(random: Random, index: number, createdAtMs: number): KeyObject {
  const team = pick(random, TEAMS);
  const kind = random(20);
  const hasTokenLimit = random(3) === 0;
  return {
    id: uuid(random),
    name: `${team} ${pick(random, USES)} ${index + 1}`,
    prefix: `sk-bve-${hex(random, 5)}`,
    status: kind === 0 ? 'revoked' : kind === 1 ? 'suspended' : 'active',
    rpm_limit: random(6) === 0 ? null : pick(random, [30, 60, 120, 600]),
    rpd_limit: random(4) === 0 ? null : 10_000,
    monthly_limit: null,
    monthly_token_limit: hasTokenLimit ? pick(random, [1_000_000, 25_000_000]) : null,
    max_concurrent: random(4) === 0 ? 8 : null,
    allowed_models: random(5) === 0 ? [pick(random, MODELS), pick(random, MODELS)] : null,
    allowed_endpoints: random(9) === 0 ? ['chat', 'models'] : null,
    inject_stream_usage: null,
    on_leave: null,
    tags: random(8) === 0 ? {} : { team, stage: pick(random, ['prod', 'dev']) },
    expires_at: random(12) === 0 ? new Date(createdAtMs + random(200) * DAY_MS).toISOString() : null,
    created_at: new Date(createdAtMs).toISOString(),
    last_used_at: random(10) === 0 ? null : new Date(Math.min(createdAtMs + random(600_000), Date.now())).toISOString(),
  };
}

/** Newest first. */
export function makeRecords(count: number, keys: readonly KeyObject[], nowMs: number, seed = 2): RequestRecord[] {
  if (keys.length === 0) return [];
  const random = randomFrom(seed);
  const stepMs = (HISTORY_DAYS * DAY_MS) / Math.max(count, 1);
  return Array.from({ length: count }, (_, i) => makeRecord(random, keys, nowMs - i * stepMs));
}

export function makeRecord(random: Random, keys: readonly KeyObject[], startedAtMs: number): RequestRecord {
  const finish: RequestFinish = pick(random, FINISH_SHARES);
  const status = finish === 'error' ? pick(random, [429, 502, 503, 403, 504]) : 200;
  const hasAnswer = status === 200;
  const sentMs = 0.4 + random(20) / 10;
  const headMs = sentMs + 90 + random(600);
  const ttfbMs = headMs + random(60);
  const durationMs = hasAnswer ? ttfbMs + 200 + random(random(8) === 0 ? 60_000 : 9000) : sentMs + random(300);
  const promptTokens = 40 + random(4000);
  const completionTokens = 20 + random(1500);
  const model = pick(random, MODELS);
  return {
    id: uuidv7(random, startedAtMs),
    requestId: uuid(random),
    upstreamRequestId: hasAnswer ? `req_${hex(random, 16)}` : null,
    // Few keys do most of the work.
    keyId: keys[Math.floor((random(1000) / 1000) ** 3 * keys.length)]!.id,
    endpoint: model.startsWith('text-embedding') ? '/v1/embeddings' : pick(random, ENDPOINTS),
    model,
    status,
    streamed: random(10) > 0,
    startedAt: new Date(startedAtMs).toISOString(),
    sentMs: status === 429 || status === 403 ? null : sentMs,
    headMs: hasAnswer ? headMs : null,
    ttfbMs: hasAnswer ? ttfbMs : null,
    durationMs,
    cancelMs: finish === 'client_closed' ? random(30) / 10 : null,
    bytesOut: hasAnswer ? completionTokens * 210 : 120,
    finish,
    errorCode:
      finish === 'error'
        ? ERROR_CODES[status]!
        : finish === 'upstream_interrupted'
          ? 'upstream_stream_interrupted'
          : null,
    target: status === 429 || status === 403 ? null : pick(random, TARGETS),
    attempts: status === 429 || status === 403 ? 0 : 1 + (random(20) === 0 ? 1 : 0),
    promptTokens: hasAnswer ? promptTokens : null,
    cachedTokens: hasAnswer ? random(promptTokens) : null,
    completionTokens: hasAnswer ? completionTokens : null,
    reasoningTokens: hasAnswer ? random(2) * random(completionTokens) : null,
    totalTokens: hasAnswer ? promptTokens + completionTokens : null,
    usageSource: hasAnswer ? (finish === 'complete' ? 'upstream' : 'partial') : 'none',
  };
}

const FINISH_SHARES: readonly RequestFinish[] = [
  ...new Array<RequestFinish>(44).fill('complete'),
  'client_closed',
  'client_closed',
  'upstream_interrupted',
  'error',
  'error',
  'error',
];
const ERROR_CODES: Readonly<Record<number, string>> = {
  403: 'model_not_allowed',
  429: 'rate_limit_exceeded',
  502: 'upstream_error',
  503: 'overloaded',
  504: 'upstream_timeout',
};

export function hex(random: Random, length: number): string {
  return Array.from({ length }, () => random(16).toString(16)).join('');
}

export function uuid(random: Random): string {
  const digits = hex(random, 32);
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-4${digits.slice(13, 16)}-8${digits.slice(17, 20)}-${digits.slice(20)}`;
}

/** Sorts by time, as the ids of records do. */
function uuidv7(random: Random, ms: number): string {
  const time = Math.floor(ms).toString(16).padStart(12, '0');
  const digits = hex(random, 20);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${digits.slice(0, 3)}-8${digits.slice(3, 6)}-${digits.slice(6, 18)}`;
}
