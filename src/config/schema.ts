/**
 * Every option of the gateway in one table: its environment name, how its text is read, its default and the reason
 * for that default. The TOML key is the same name in lower case, the flag the same name in kebab case.
 */
import { parseExtraHeaders } from '../gateway/extra-headers.ts';
import { type Option, option, optional, secret, secretList } from './option.ts';
import {
  checkedRedisUrl,
  integer,
  oneOf,
  parseBaseUrl,
  parseDatabaseUrl,
  parseNonEmpty,
  share,
  TRUE_OR_FALSE,
  text,
  WORKERS,
} from './option-text.ts';
import { OTEL_OPTIONS } from './otel-options.ts';

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const LOG_FORMATS = ['json', 'pretty'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

const LIMIT_FAILURE_ANSWERS = ['allow', 'deny'] as const;
const STREAM_USAGE = ['off', 'inject'] as const;
const STREAM_BREAK = ['event', 'reset'] as const;
const UPSTREAM_5XX = ['error', 'pass'] as const;

/** A pepper shorter than this is refused, except on a loopback address: see `checkPepper`. */
export const PEPPER_LENGTH_MIN = 16;
/** The minimum when the gateway is reachable only from its own machine (tests, benchmarks). */
const PEPPER_LENGTH_MIN_LOOPBACK = 12;

const HOUR_MS = 3_600_000;

export const OPTIONS = {
  fuelixApiKey: secret(
    'FUELIX_API_KEY',
    'the real key, sent upstream in place of the client key; this, FUELIX_API_KEYS or [[targets]] is required',
    false,
  ),
  fuelixApiKeys: secretList('FUELIX_API_KEYS', 'several real keys, separated by commas: targets fuelix-1, fuelix-2 …'),
  fuelixBaseUrl: option(
    'FUELIX_BASE_URL',
    'https://api.fuelix.ai/v1',
    'upstream base URL, including /v1',
    text(parseBaseUrl),
  ),
  adminApiKey: secret('ADMIN_API_KEY', 'key of the admin API; without it the admin API is off', false),
  apiKeyPepper: secret(
    'API_KEY_PEPPER',
    `mixed into the hash of client keys, at least ${PEPPER_LENGTH_MIN} characters`,
    true,
  ),
  host: option('HOST', '0.0.0.0', 'address to listen on', text(parseNonEmpty)),
  port: option('PORT', '8080', 'port to listen on; 0 picks a free one and prints it', integer(0, 65_535)),
  databaseUrl: option(
    'DATABASE_URL',
    'sqlite://bve.db',
    'where keys and usage are kept: sqlite://PATH or postgres://USER@HOST/DATABASE',
    text(parseDatabaseUrl),
  ),
  databasePoolMax: option(
    'DATABASE_POOL_MAX',
    '10',
    'Postgres: connections of this process at most',
    integer(1, 1_000),
  ),
  databaseStatementTimeoutMs: option(
    'DATABASE_STATEMENT_TIMEOUT_MS',
    '5000',
    'Postgres: a statement may take this long',
    integer(1, HOUR_MS),
  ),
  databaseConnectTimeoutMs: option(
    'DATABASE_CONNECT_TIMEOUT_MS',
    '5000',
    'Postgres: connecting may take this long',
    integer(1, HOUR_MS),
  ),
  /** A pooler that gives every transaction another connection cannot keep statements or settings. */
  databasePrepare: option(
    'DATABASE_PREPARE',
    'true',
    'Postgres: false behind a pooler in transaction mode, such as pgbouncer',
    TRUE_OR_FALSE,
  ),
  databaseCaFile: optional(
    'DATABASE_CA_FILE',
    'Postgres: PEM file of certificate authorities, for sslmode=verify-ca and verify-full',
    text(parseNonEmpty),
  ),
  /** By default availability comes before spending limits. Contract, section 5. */
  limitsOnFailure: option(
    'LIMITS_ON_FAILURE',
    'allow',
    'allow or deny requests whose limits cannot be read from the store',
    oneOf(LIMIT_FAILURE_ANSWERS),
  ),
  /** Records are kept by default. The totals by day and month are always kept. */
  usageRetentionDays: option(
    'USAGE_RETENTION_DAYS',
    '0',
    'usage records are deleted after this many days; 0 keeps them',
    integer(0, 36_500),
  ),
  /** A store that is away for minutes must not stop keys that are known; a key revoked meanwhile works that long. */
  keyCacheStaleMs: option(
    'KEY_CACHE_STALE_MS',
    '300000',
    'known keys are served for this long while the store is away; 0: strictly not',
    integer(0, 24 * HOUR_MS),
  ),
  /** By default a store in trouble leaves the gateway ready: it goes on with what it knows. */
  readyRequiresStore: option(
    'READY_REQUIRES_STORE',
    'false',
    'true makes GET /ready 503 while the store cannot be reached',
    TRUE_OR_FALSE,
  ),
  /** Where the database is: what kept the one from being written may well not keep the other. */
  usageSpillDir: optional(
    'USAGE_SPILL_DIR',
    'folder for usage records that the database does not take; by default that of the SQLite file, else the working directory',
    text(parseNonEmpty),
  ),
  /** Some 130,000 records. */
  usageSpillBytesMax: option(
    'USAGE_SPILL_BYTES_MAX',
    String(64 * 1024 * 1024),
    'bytes of usage records in files at the most; 0: none',
    integer(0, 2 ** 40),
  ),
  /** One: counters in this process are exact, and nothing else is needed. */
  workers: option(
    'WORKERS',
    '1',
    'processes on one port; auto: as many as cores. More than one needs REDIS_URL',
    WORKERS,
  ),
  redisUrl: optional(
    'REDIS_URL',
    'Redis or Valkey that counts limits for all processes that share it: redis://USER:PASSWORD@HOST:PORT, rediss:// for TLS',
    text(checkedRedisUrl),
  ),
  redisTimeoutMs: option(
    'REDIS_TIMEOUT_MS',
    '100',
    'when Redis does not answer for so long, this process counts alone (LIMITS_ON_FAILURE)',
    integer(1, 60_000),
  ),
  redisCaFile: optional(
    'REDIS_CA_FILE',
    'PEM file of certificate authorities to trust for rediss:// in place of the built-in ones',
    text(parseNonEmpty),
  ),
  /** Off by default: what it tells is for operators only. */
  metricsToken: secret('METRICS_TOKEN', 'bearer token of GET /metrics; without it the API has no /metrics', false),
  metricsPort: optional(
    'METRICS_PORT',
    'serves GET /metrics, without a token, on this port of HOST; 0 picks a free one and logs it',
    integer(0, 65_535),
  ),
  logLevel: option('LOG_LEVEL', 'info', LOG_LEVELS.join(', '), oneOf(LOG_LEVELS)),
  logFormat: option('LOG_FORMAT', 'json', 'json: a JSON object per line; pretty: for people', oneOf(LOG_FORMATS)),
  /** A line per request is some 400 bytes: at 1,000 requests a second 35 GB a day. */
  logSample: option(
    'LOG_SAMPLE',
    '1',
    'the share of requests, from 0 to 1, that get a log line; failed ones always do',
    share(),
  ),
  ...OTEL_OPTIONS,

  /** OpenAI takes bodies of some megabytes; ten leave room for a few images in base64. Contract, section 4. */
  maxBodyBytes: option('MAX_BODY_BYTES', String(10 * 1024 * 1024), 'largest request body, bytes', integer(1, 1 << 30)),
  /** Each is held until its answer begins: 26 of the largest, or thousands of the usual ones. */
  maxBodyBytesTotal: option(
    'MAX_BODY_BYTES_TOTAL',
    String(256 * 1024 * 1024),
    'request bodies held at once, bytes, before 503 overloaded',
    integer(1, 2 ** 40),
  ),
  /** What OpenAI takes for images and audio is a quarter of it; an upload is streamed, and of each little is held. */
  maxUploadBytes: option(
    'MAX_UPLOAD_BYTES',
    String(100 * 1024 * 1024),
    'largest multipart request body, bytes',
    integer(1, 2 ** 40),
  ),
  /** 11 to 40 KiB a stream: the default keeps a full gateway below half a gigabyte. */
  maxConcurrentRequests: option(
    'MAX_CONCURRENT_REQUESTS',
    '10000',
    'requests in flight before 503 overloaded',
    integer(1, 1_000_000),
  ),
  /** An upload may take as long as its line needs, within UPSTREAM_TOTAL_TIMEOUT_MS: for it this is the longest silence. */
  requestBodyTimeoutMs: option(
    'REQUEST_BODY_TIMEOUT_MS',
    '60000',
    'a client has this long to send its body, or the next piece of an upload',
    integer(1, HOUR_MS),
  ),
  /** The OpenAI SDKs wait ten minutes by themselves; a gateway that gives up earlier would break long answers. */
  upstreamHeadTimeoutMs: option(
    'UPSTREAM_HEAD_TIMEOUT_MS',
    '600000',
    'upstream has this long to send a response head',
    integer(1, 24 * HOUR_MS),
  ),
  /** Off, because it adds to the request what the client did not write. Contract, section 6. */
  streamUsage: option(
    'STREAM_USAGE',
    'off',
    'inject asks upstream for the usage of every chat stream and takes the added event out again',
    oneOf(STREAM_USAGE),
  ),
  streamBreak: option(
    'STREAM_BREAK',
    'event',
    'a stream that upstream breaks off ends with an error event, where there is room for one, or always with a reset',
    oneOf(STREAM_BREAK),
  ),
  responseHeadersExtra: option(
    'RESPONSE_HEADERS_EXTRA',
    '',
    'further headers of upstream that clients get: names, or beginnings like x-ratelimit-*, separated by commas',
    text(parseExtraHeaders),
  ),
  /** Off: it adds to what upstream sends. */
  streamHeartbeatMs: option(
    'STREAM_HEARTBEAT_MS',
    '0',
    'event streams get a comment, on /v1/messages a ping event, after this much silence; 0: never',
    integer(0, HOUR_MS),
  ),
  xAccelBuffering: optional(
    'X_ACCEL_BUFFERING',
    'no: event streams have this header, by which nginx does not collect them',
    oneOf(['no'] as const),
  ),
  upstream5xx: option(
    'UPSTREAM_5XX',
    'error',
    'pass hands on JSON 5xx answers to requests that are not streamed; error answers 502 with their message',
    oneOf(UPSTREAM_5XX),
  ),
  retryAttemptsMax: option('RETRY_ATTEMPTS_MAX', '3', 'targets that are sent a request at the most', integer(1, 10)),
  /** A platform in trouble must not get twice the load. Contract, section 2. */
  retryBudgetPercent: option(
    'RETRY_BUDGET_PERCENT',
    '20',
    'further attempts, in percent of the requests of the last 10 s; 3 are always allowed',
    integer(0, 100),
  ),
  /** Off, because the request may have been begun, and would be paid for twice. */
  retryOnReset: option(
    'RETRY_ON_RESET',
    'false',
    'true sends a request to another target after a reset before the answer; else only with an idempotency-key',
    TRUE_OR_FALSE,
  ),
  /** Off, because nothing of a stream is held by default. */
  retryStreamErrors: option(
    'RETRY_STREAM_ERRORS',
    'false',
    'true tries another target when a stream begins with an error event; the first events are held for it',
    TRUE_OR_FALSE,
  ),
  /** Most answers are over within it; those that are not cost upstream's tokens for nobody. Contract, section 1. */
  leaveDrainMs: option(
    'LEAVE_DRAIN_MS',
    '30000',
    'an answer is read on for this long after its client has left, for keys with on_leave drain',
    integer(0, HOUR_MS),
  ),
  leaveDrainsMax: option(
    'LEAVE_DRAINS_MAX',
    '100',
    'answers read on at once for clients that have left',
    integer(0, 1_000_000),
  ),
  fuelixCaFile: optional(
    'FUELIX_CA_FILE',
    'PEM file of a CA to trust for upstream instead of the built-in ones',
    text(parseNonEmpty),
  ),
  /** A connection costs upstream more than us; above this they are closed after use. */
  upstreamIdleConnectionsMax: option(
    'UPSTREAM_IDLE_CONNECTIONS_MAX',
    '1024',
    'idle upstream connections kept at the most',
    integer(0, 65_535),
  ),
  /** Below the 60 s after which common servers and load balancers close an idle connection, so that we close first. */
  upstreamIdleConnectionLimitMs: option(
    'UPSTREAM_IDLE_CONNECTION_LIMIT_MS',
    '30000',
    'an idle upstream connection is kept for this long',
    integer(1, HOUR_MS),
  ),
  /** A new connection asks DNS again: a moved upstream is found within this. */
  upstreamConnectionAgeMaxMs: option(
    'UPSTREAM_CONNECTION_AGE_MAX_MS',
    '600000',
    'an upstream connection is replaced after this',
    integer(1, 24 * HOUR_MS),
  ),
  /** Reasoning models can be silent for minutes. */
  upstreamIdleTimeoutMs: option(
    'UPSTREAM_IDLE_TIMEOUT_MS',
    '300000',
    'longest silence of upstream within a body',
    integer(1, 24 * HOUR_MS),
  ),
  upstreamConnectTimeoutMs: option(
    'UPSTREAM_CONNECT_TIMEOUT_MS',
    '10000',
    'upstream has this long to accept a connection',
    integer(1, HOUR_MS),
  ),
  upstreamTotalTimeoutMs: option(
    'UPSTREAM_TOTAL_TIMEOUT_MS',
    String(HOUR_MS),
    'longest time for a whole answer',
    integer(1, 24 * HOUR_MS),
  ),
  clientStallTimeoutMs: option(
    'CLIENT_STALL_TIMEOUT_MS',
    '300000',
    'a client may stop reading for this long',
    integer(1, 24 * HOUR_MS),
  ),
  /** Above the 60 s after which common load balancers drop an idle connection, so that they close first, not we. */
  clientIdleTimeoutS: option(
    'CLIENT_IDLE_TIMEOUT_S',
    '75',
    'an idle client connection is closed after this, seconds',
    integer(1, 255),
  ),
  /** As many as it takes until the data plane is compiled; a third of a second. More gain nothing. */
  warmUpRequests: option(
    'WARM_UP_REQUESTS',
    '2000',
    'requests the gateway sends itself on loopback before it listens; 0 for none',
    integer(0, 100_000),
  ),
  /** Below the 30 s that container platforms wait between SIGTERM and SIGKILL. */
  drainTimeoutMs: option(
    'DRAIN_TIMEOUT_MS',
    '25000',
    'open requests may finish for this long after SIGTERM and READY_GRACE_MS',
    integer(0, HOUR_MS),
  ),
  /** Off, because it delays every stop. Balancers that look at /ready every second need some five. */
  readyGraceMs: option(
    'READY_GRACE_MS',
    '0',
    'after SIGTERM /ready is 503 and requests are served for this long, then refused',
    integer(0, HOUR_MS),
  ),
} as const;

export type OptionName = keyof typeof OPTIONS;
export type Config = { readonly [K in OptionName]: (typeof OPTIONS)[K] extends Option<infer T> ? T : never };

export function flagName(option: { readonly env: string }): string {
  return option.env.toLowerCase().replaceAll('_', '-');
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

/**
 * Returns the problem of a pepper, or null. Keys have 256 random bits, so the pepper is a second line of defence; on a
 * loopback address a shorter one is accepted, with a warning in the start log.
 */
export function checkPepper(pepper: string, host: string): string | null {
  const min = isLoopback(host) ? PEPPER_LENGTH_MIN_LOOPBACK : PEPPER_LENGTH_MIN;
  return pepper.length >= min ? null : `must have at least ${PEPPER_LENGTH_MIN} characters, not ${pepper.length}`;
}
