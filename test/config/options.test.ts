import { describe, expect, test } from 'bun:test';
import { loadConfig } from '../../src/config/load.ts';
import { flagName, OPTIONS, type OptionName } from '../../src/config/schema.ts';
import { cleanUpFiles, problemsOf, REQUIRED, tomlFile } from './settings.ts';

cleanUpFiles();

interface Expectations {
  /** A text, and what is made of it. */
  readonly good: readonly (readonly [text: string, value: unknown])[];
  readonly bad: readonly string[];
  /** What the complaint says after the name. */
  readonly complaint: string;
}

const HOUR_MS = 3_600_000;
const SECRET: Expectations = {
  good: [['sk-~!"#-16-characters', 'sk-~!"#-16-characters']],
  bad: [
    'has a space in the middle',
    'ends-with-a-line-break\n',
    'tab\there-and-more-of-it',
    'caf\u00e9-and-more-of-the-same',
  ],
  complaint: 'must be printable ASCII without spaces',
};

function integer(min: number, max: number): Expectations {
  return {
    good: [
      [String(min), min],
      [String(max), max],
      [`0${max}`, max],
    ],
    bad: [
      String(min - 1),
      String(max + 1),
      `${min}.5`,
      '1e3',
      '0x10',
      '10 ',
      '+5',
      'ten',
      '99999999999999999999',
      'NaN',
    ],
    complaint: `must be a whole number from ${min} to ${max}`,
  };
}

const TRUE_OR_FALSE: Expectations = {
  good: [
    ['true', true],
    ['false', false],
  ],
  bad: ['yes', '1', 'True'],
  complaint: 'must be true or false',
};

const OTEL_URL: Expectations = {
  good: [['http://collector:4318/otlp', 'http://collector:4318/otlp']],
  bad: ['collector:4318', 'grpc://collector:4317', 'http://user:password@collector:4318'],
  complaint: 'must ',
};

const OTEL_HEADERS: Expectations = {
  good: [
    [
      'x-key=a%20b=c, authorization=Basic x',
      new Map([
        ['x-key', 'a b=c'],
        ['authorization', 'Basic x'],
      ]),
    ],
  ],
  bad: ['secret-without-name', 'x y=secret', 'x-key=%0a-and-more'],
  complaint: 'must ',
};

const OF: Readonly<Record<OptionName, Expectations>> = {
  fuelixApiKey: SECRET,
  fuelixApiKeys: {
    good: [
      ['fx-1', ['fx-1']],
      ['fx-1, fx-2', ['fx-1', 'fx-2']],
    ],
    bad: ['fx-1,', ',', 'fx-1,fx-1', 'fx 1,fx-2'],
    complaint: 'must ',
  },
  retryAttemptsMax: integer(1, 10),
  retryBudgetPercent: integer(0, 100),
  retryOnReset: TRUE_OR_FALSE,
  retryStreamErrors: TRUE_OR_FALSE,
  adminApiKey: SECRET,
  metricsToken: SECRET,
  logFormat: {
    good: [
      ['json', 'json'],
      ['pretty', 'pretty'],
    ],
    bad: ['PRETTY', 'text', ' json'],
    complaint: 'must be one of json, pretty',
  },
  logSample: {
    good: [
      ['0', 0],
      ['1', 1],
      ['0.25', 0.25],
      ['.5', 0.5],
      ['1.0', 1],
    ],
    bad: ['1.01', '-0.1', '50%', '1e-1', '0,5', '.', 'half', 'NaN'],
    complaint: 'must be a number from 0 to 1',
  },
  metricsPort: integer(0, 65_535),
  apiKeyPepper: SECRET,
  fuelixBaseUrl: {
    good: [
      ['https://api.fuelix.ai/v1', 'https://api.fuelix.ai/v1'],
      ['http://127.0.0.1:4010/v1/', 'http://127.0.0.1:4010/v1'],
      ['https://example.org', 'https://example.org'],
      ['http://[::1]:80/a/b//', 'http://[::1]/a/b'],
    ],
    bad: [
      'api.fuelix.ai/v1',
      'ftp://example.org/v1',
      '/v1',
      'https://',
      'https://user:pw@example.org/v1',
      'https://example.org/v1?key=1',
      'https://example.org/v1#x',
      'http://a b/',
    ],
    complaint: 'must ',
  },
  host: {
    good: [
      ['127.0.0.1', '127.0.0.1'],
      ['::', '::'],
      ['localhost', 'localhost'],
    ],
    bad: [' '],
    complaint: 'must not be empty',
  },
  port: integer(0, 65_535),
  databaseUrl: {
    good: [
      ['sqlite://bve.db', 'sqlite://bve.db'],
      ['sqlite:///var/lib/bve/bve.db', 'sqlite:///var/lib/bve/bve.db'],
      ['postgres://bve@db/bve', 'postgres://bve@db/bve'],
      ['postgresql://bve:x@db:5433/bve?sslmode=verify-full', 'postgresql://bve:x@db:5433/bve?sslmode=verify-full'],
    ],
    bad: ['bve.db', 'sqlite:bve.db', 'sqlite://', 'mysql://x/y', 'postgres:x/y', 'postgres://'],
    complaint: 'sqlite://PATH',
  },
  databasePoolMax: integer(1, 1_000),
  databaseStatementTimeoutMs: integer(1, HOUR_MS),
  databaseConnectTimeoutMs: integer(1, HOUR_MS),
  databasePrepare: TRUE_OR_FALSE,
  databaseCaFile: { good: [['/etc/ssl/db.pem', '/etc/ssl/db.pem']], bad: [' '], complaint: 'must not be empty' },
  limitsOnFailure: {
    good: [
      ['allow', 'allow'],
      ['deny', 'deny'],
    ],
    bad: ['Deny', 'yes'],
    complaint: 'must be one of allow, deny',
  },
  usageRetentionDays: integer(0, 36_500),
  usageSpillDir: {
    good: [
      ['/var/spill', '/var/spill'],
      ['spill', 'spill'],
    ],
    bad: [' '],
    complaint: 'must not be empty',
  },
  usageSpillBytesMax: integer(0, 2 ** 40),
  keyCacheStaleMs: integer(0, 86_400_000),
  readyRequiresStore: TRUE_OR_FALSE,
  warmUpRequests: integer(0, 100_000),
  streamUsage: {
    good: [
      ['off', 'off'],
      ['inject', 'inject'],
    ],
    bad: ['on', 'Inject'],
    complaint: 'must be one of off, inject',
  },
  redisUrl: {
    good: [
      ['redis://127.0.0.1', 'redis://127.0.0.1'],
      ['rediss://bve:x%40y@cache:6380/2', 'rediss://bve:x%40y@cache:6380/2'],
      ['redis+sentinel://a:26379,b:26379/mymaster', 'redis+sentinel://a:26379,b:26379/mymaster'],
      ['redis+cluster://a,b', 'redis+cluster://a,b'],
    ],
    bad: ['127.0.0.1:6379', 'http://x', 'redis://', 'redis://a,b', 'redis+sentinel://a', 'redis://a/x', 'redis://a:0'],
    complaint: '',
  },
  workers: {
    good: [['1', 1]],
    bad: ['0', '1025', '-1', 'all', '1.5'],
    complaint: 'must be auto or a whole number from 1 to 1024',
  },
  redisTimeoutMs: integer(1, 60_000),
  redisCaFile: { good: [['/etc/ssl/redis.pem', '/etc/ssl/redis.pem']], bad: [' '], complaint: 'must not be empty' },
  streamBreak: {
    good: [
      ['event', 'event'],
      ['reset', 'reset'],
    ],
    bad: ['Event', 'close'],
    complaint: 'must be one of event, reset',
  },
  streamHeartbeatMs: integer(0, HOUR_MS),
  xAccelBuffering: { good: [['no', 'no']], bad: ['yes', 'No'], complaint: 'must be one of no' },
  responseHeadersExtra: {
    good: [
      ['', ''],
      ['openai-processing-ms', 'openai-processing-ms'],
      ['X-RateLimit-*, Server', 'x-ratelimit-*,server'],
    ],
    bad: ['*', 'a b', 'a,', 'x-*-y', 'Set-Cookie', 'content-length', 'connection'],
    complaint: 'must ',
  },
  upstream5xx: {
    good: [
      ['error', 'error'],
      ['pass', 'pass'],
    ],
    bad: ['Pass', 'true'],
    complaint: 'must be one of error, pass',
  },
  logLevel: {
    good: [
      ['debug', 'debug'],
      ['info', 'info'],
      ['warn', 'warn'],
      ['error', 'error'],
      ['silent', 'silent'],
    ],
    bad: ['INFO', 'trace', 'warning', 'info '],
    complaint: 'must be one of debug, info, warn, error, silent',
  },
  fuelixCaFile: { good: [['/etc/ssl/ca.pem', '/etc/ssl/ca.pem']], bad: [' '], complaint: 'must not be empty' },
  maxBodyBytes: integer(1, 1 << 30),
  maxBodyBytesTotal: integer(1, 2 ** 40),
  maxUploadBytes: integer(1, 2 ** 40),
  maxConcurrentRequests: integer(1, 1_000_000),
  requestBodyTimeoutMs: integer(1, HOUR_MS),
  upstreamHeadTimeoutMs: integer(1, 24 * HOUR_MS),
  upstreamIdleConnectionsMax: integer(0, 65_535),
  upstreamIdleConnectionLimitMs: integer(1, HOUR_MS),
  upstreamConnectionAgeMaxMs: integer(1, 24 * HOUR_MS),
  upstreamIdleTimeoutMs: integer(1, 24 * HOUR_MS),
  upstreamConnectTimeoutMs: integer(1, HOUR_MS),
  upstreamTotalTimeoutMs: integer(1, 24 * HOUR_MS),
  clientStallTimeoutMs: integer(1, 24 * HOUR_MS),
  clientIdleTimeoutS: integer(1, 255),
  drainTimeoutMs: integer(0, HOUR_MS),
  readyGraceMs: integer(0, HOUR_MS),
  otelEndpoint: OTEL_URL,
  otelTracesEndpoint: OTEL_URL,
  otelHeaders: OTEL_HEADERS,
  otelTracesHeaders: OTEL_HEADERS,
  otelTimeoutMs: integer(1, HOUR_MS),
  otelCompression: { good: [['gzip', 'gzip']], bad: ['br'], complaint: 'must be one of none, gzip' },
  otelProtocol: {
    good: [['http/protobuf', 'http/protobuf']],
    bad: ['grpc', 'http/json'],
    complaint: 'must be one of http/protobuf',
  },
  otelServiceName: { good: [['gateway', 'gateway']], bad: [' '], complaint: 'must not be empty' },
  otelResourceAttributes: { good: [['a=b,c=d%20e', 'a=b,c=d%20e']], bad: ['a', '=b'], complaint: 'must be name=value' },
  otelTracesExporter: { good: [['none', 'none']], bad: ['zipkin'], complaint: 'must be one of otlp, none' },
  otelTracesSampler: {
    good: [['traceidratio', 'traceidratio']],
    bad: ['jaeger_remote', 'ratio'],
    complaint: 'must be one of always_on, always_off,',
  },
  otelTracesSamplerArg: {
    good: [
      ['0', 0],
      ['0.1', 0.1],
      ['.5', 0.5],
      ['1.0', 1],
      ['1e-3', 0.001],
    ],
    bad: ['1.1', '-0.1', 'all', '10%'],
    complaint: 'must be a number from 0 to 1',
  },
  otelBspScheduleDelayMs: integer(1, HOUR_MS),
  otelBspExportTimeoutMs: integer(1, HOUR_MS),
  otelBspQueueMax: integer(1, 2 ** 31 - 1),
  otelBspBatchMax: integer(1, 2 ** 31 - 1),
  otelSdkDisabled: {
    good: [
      ['True', true],
      ['1', false],
    ],
    bad: [],
    complaint: '',
  },
  leaveDrainMs: integer(0, HOUR_MS),
  leaveDrainsMax: integer(0, 1_000_000),
};

const NAMES = Object.keys(OPTIONS) as OptionName[];

test('every option is in this table, and none else', () => {
  expect(Object.keys(OF).sort()).toEqual([...NAMES].sort());
});

describe.each(NAMES)('%s', (name) => {
  const { env, secret, defaultText, parse } = OPTIONS[name];
  const { good, bad, complaint } = OF[name];
  const key = env.toLowerCase();
  const required: Record<string, string | undefined> = { ...REQUIRED };
  // One excludes the other.
  if (env === 'FUELIX_API_KEYS') delete required.FUELIX_API_KEY;
  const around = { ...required, [env]: undefined };
  const others = (from: 'file' | 'flag' | 'environment') => {
    const { [env]: _, ...rest } = required;
    return from === 'environment' ? around : rest;
  };

  for (const [text, value] of good) {
    test(`${JSON.stringify(text)} is taken from the environment, the file${secret ? '' : ' and the flag'}`, () => {
      expect(loadConfig({ env: { ...others('environment'), [env]: text } }).config[name]).toEqual(value as never);
      const configFile = tomlFile(`${key} = ${JSON.stringify(text)}`);
      const fromFile = loadConfig({ env: others('file'), configFile });
      expect([fromFile.config[name], fromFile.sources[name]]).toEqual([value as never, 'file']);
      if (secret) return;
      const fromFlag = loadConfig({ env: others('flag'), flags: { [flagName({ env })]: text } });
      expect([fromFlag.config[name], fromFlag.sources[name]]).toEqual([value as never, 'flag']);
    });
  }

  for (const text of bad) {
    test(`${JSON.stringify(text)} is refused from all of them, by name`, () => {
      const expected = expect.stringContaining(complaint);
      const complaints = [
        problemsOf({ env: { ...around, [env]: text } }),
        problemsOf({ env: others('file'), configFile: tomlFile(`${key} = ${JSON.stringify(text)}`) }),
        ...(secret ? [] : [problemsOf({ env: others('flag'), flags: { [flagName({ env })]: text } })]),
      ];
      for (const problems of complaints) {
        expect(problems).toEqual([expected]);
        expect(problems[0]).toStartWith(`${env} `);
        if (secret) expect(problems[0]).not.toContain(text.slice(0, 8));
      }
    });
  }

  test('its default is a value that it takes', () => {
    if (defaultText !== undefined) expect(() => parse(defaultText)).not.toThrow();
  });
});

test('a number in the file needs no quotes', () => {
  const configFile = tomlFile('port = 8081\nmax_body_bytes = 1_000_000\n');
  const { config } = loadConfig({ env: REQUIRED, configFile });
  expect([config.port, config.maxBodyBytes]).toEqual([8081, 1_000_000]);
});

test('a URL with credentials is refused without repeating them', () => {
  const [problem] = problemsOf({ env: { ...REQUIRED, FUELIX_BASE_URL: 'https://user:hunter2@example.org/v1' } });
  expect(problem).toBe('FUELIX_BASE_URL must not contain credentials');
});

test('a REDIS_URL that cannot be read is refused without repeating its password', () => {
  const [problem] = problemsOf({ env: { ...REQUIRED, REDIS_URL: 'redis://:hunter2@a,b' } });
  expect(problem).toBe('REDIS_URL names several servers: write redis+sentinel:// or redis+cluster://');
});
