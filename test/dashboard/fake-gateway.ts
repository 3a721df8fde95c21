/**
 * A gateway as the dashboard sees one (contract, section 7), in this process and with invented data: for states that a real
 * one does not easily get into, and for amounts that would take long to record. Its admin API checks little.
 */
import type { KeyObject, RequestRecord, Target } from '../../src/dashboard/app/api/api-types.ts';
import { serveDashboard } from '../../src/dashboard/serve-dashboard.ts';
import { randomFrom } from '../support/random.ts';
import { fakeClientApi } from './fake-client-api.ts';
import { hex, makeKeys, makeRecords, uuid } from './fake-data.ts';
import { liveBody } from './fake-live.ts';
import { FAKE_OPENAPI } from './fake-openapi.ts';
import { summaryOf, usageOfKey } from './fake-usage.ts';

export const ADMIN_KEY = 'admin-key-of-the-fake-gateway';

export interface FakeOptions {
  readonly keys?: number;
  readonly requests?: number;
  readonly liveRequestsPerS?: number;
  readonly port?: number;
}

export class FakeGateway {
  keys: KeyObject[];
  records: RequestRecord[];
  targets: Target[] = TARGETS;
  /** Every call of the admin API is answered with this, when set. */
  failure: { status: number; code: string; message: string } | null = null;
  /** How long every answer of the admin API takes. */
  delayMs = 0;
  draining = false;
  /** As a gateway that hangs: connections stay open, and nothing is answered or sent. */
  hanging = false;
  openapi: unknown = FAKE_OPENAPI;
  adminKey: string | null = ADMIN_KEY;
  /** The admin calls so far, as `METHOD path`. */
  readonly calls: string[] = [];
  readonly #liveRequestsPerS: number;
  readonly #random = randomFrom(99);
  #server: Bun.Server<undefined> | null = null;
  #stopped = new AbortController();
  #port: number;

  constructor({ keys = 40, requests = 2000, liveRequestsPerS = 12, port = 0 }: FakeOptions = {}) {
    const now = Date.now();
    this.keys = makeKeys(keys, now);
    this.records = makeRecords(requests, this.keys, now);
    this.#liveRequestsPerS = liveRequestsPerS;
    this.#port = port;
    this.start();
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** On the port it had before. */
  start(): void {
    this.#stopped = new AbortController();
    this.#server = Bun.serve({
      hostname: '127.0.0.1',
      port: this.#port,
      idleTimeout: 0,
      development: false,
      fetch: (request) => this.#answer(request),
    });
    this.#port = this.#server.port!;
  }

  /** Cuts every connection, as a crash does. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#server?.stop(true);
    this.#server = null;
  }

  async #answer(request: Request): Promise<Response> {
    if (this.hanging) return new Promise(() => {});
    const { pathname: path, searchParams: query } = new URL(request.url);
    if (path.startsWith('/dashboard') || path === '/docs') return serveDashboard(request);
    if (path === '/health') return Response.json({ status: 'ok' });
    if (path === '/ready') {
      return this.draining
        ? Response.json({ status: 'draining' }, { status: 503 })
        : Response.json({ status: 'ready' });
    }
    if (path === '/openapi.json')
      return this.openapi === null ? refusal(404, 'route_not_found') : Response.json(this.openapi);
    if (path.startsWith('/v1/')) return fakeClientApi(request, path);
    if (!path.startsWith('/admin/')) return refusal(404, 'route_not_found');

    this.calls.push(`${request.method} ${path}`);
    if (this.delayMs > 0) await Bun.sleep(this.delayMs);
    if (this.adminKey === null) return refusal(403, 'admin_disabled');
    if (request.headers.get('authorization') !== `Bearer ${this.adminKey}`) {
      return refusal(401, 'invalid_api_key', 'Invalid admin API key');
    }
    if (this.failure) return refusal(this.failure.status, this.failure.code, this.failure.message);
    return this.#admin(request, path, query);
  }

  async #admin(request: Request, path: string, query: URLSearchParams): Promise<Response> {
    switch (`${request.method} ${path}`) {
      case 'GET /admin/api-keys':
        return Response.json(this.#listKeys(query));
      case 'POST /admin/api-keys':
        return this.#createKey((await request.json()) as Partial<KeyObject>);
      case 'GET /admin/usage':
        return Response.json(usageOfKey(this.records, query.get('key_id')!));
      case 'GET /admin/usage/summary':
        return Response.json(summaryOf(this.records, new Map(this.keys.map((key) => [key.id, key])), query));
      case 'GET /admin/requests':
        return Response.json(this.#listRequests(query));
      case 'GET /admin/targets':
        return Response.json({ targets: this.targets });
      case 'GET /admin/config':
        return Response.json(CONFIGURATION);
      case 'POST /admin/drain':
        this.draining = true;
        return Response.json({ status: 'draining' }, { status: 202 });
      case 'GET /admin/live':
        return new Response(
          liveBody({
            requestsPerS: this.#liveRequestsPerS,
            keys: () => this.keys,
            targets: () => this.targets,
            signal: this.#stopped.signal,
            silent: () => this.hanging,
          }),
          { headers: { 'content-type': 'text/event-stream' } },
        );
    }
    const [, id, action] = /^\/admin\/api-keys\/([^/]+)(?:\/(\w+))?$/.exec(path) ?? [];
    const key = this.keys.find((one) => one.id === id);
    if (key === undefined) return refusal(404, 'api_key_not_found', 'No API key has this id');
    return this.#key(request, key, action);
  }

  async #key(request: Request, key: KeyObject, action: string | undefined): Promise<Response> {
    const body = (await request.json().catch(() => ({}))) as Partial<KeyObject>;
    if (request.method === 'GET') return Response.json({ ...key, limits: this.#limitsOf(key) });
    if (request.method === 'DELETE') {
      if (key.status !== 'revoked') return refusal(409, 'conflict', 'Only a revoked key can be deleted');
      this.keys = this.keys.filter((other) => other !== key);
      return new Response(null, { status: 204 });
    }
    if (key.status === 'revoked') return refusal(409, 'conflict', 'The key is revoked');
    if (request.method === 'PATCH') return Response.json(this.#change(key, body));
    switch (action) {
      case 'suspend':
        return Response.json(this.#change(key, { status: 'suspended' }));
      case 'activate':
        return Response.json(this.#change(key, { status: 'active' }));
      case 'revoke':
        return Response.json(this.#change(key, { status: 'revoked' }));
      case 'rotate': {
        const secret = this.#secret();
        return Response.json({ ...this.#change(key, { prefix: secret.slice(0, 12) }), key: secret });
      }
      default:
        return refusal(404, 'route_not_found');
    }
  }

  #change(key: KeyObject, change: Partial<KeyObject>): KeyObject {
    const changed = { ...key, ...change };
    this.keys = this.keys.map((one) => (one === key ? changed : one));
    return changed;
  }

  #createKey(fields: Partial<KeyObject>): Response {
    if (!fields.name) return refusal(400, 'invalid_request', "Invalid value for 'name'");
    const secret = this.#secret();
    const key: KeyObject = {
      ...BLANK_KEY,
      ...fields,
      id: uuid(this.#random),
      prefix: secret.slice(0, 12),
      created_at: new Date().toISOString(),
    };
    this.keys = [key, ...this.keys];
    return Response.json({ ...key, key: secret }, { status: 201 });
  }

  #listKeys(query: URLSearchParams): KeyObject[] {
    const after = query.get('after');
    const first = after === null ? 0 : this.keys.findIndex((key) => key.id === after) + 1;
    return this.keys.slice(first, first + Number(query.get('limit') ?? this.keys.length));
  }

  #listRequests(query: URLSearchParams): RequestRecord[] {
    const limit = Number(query.get('limit') ?? 50);
    const before = query.get('before');
    const found: RequestRecord[] = [];
    for (const record of this.records) {
      if (before !== null && record.id >= before) continue;
      if (!matches(record, query)) continue;
      found.push(record);
      if (found.length === limit) break;
    }
    return found;
  }

  #limitsOf(key: KeyObject) {
    const month = usageOfKey(this.records, key.id).monthly[0];
    const state = (limit: number | null, used: number, resetsInMs: number | null) => ({
      limit,
      used,
      remaining: limit === null ? null : Math.max(0, limit - used),
      resets_at: resetsInMs === null ? null : new Date(Date.now() + resetsInMs).toISOString(),
    });
    return {
      requests_per_minute: state(key.rpm_limit, Math.floor((key.rpm_limit ?? 20) * 0.4), 42_000),
      requests_per_day: state(key.rpd_limit, 8700, 9 * 3_600_000),
      requests_per_month: state(key.monthly_limit, month?.requestCount ?? 0, 5 * 86_400_000),
      tokens_per_month: state(key.monthly_token_limit, month?.totalTokens ?? 0, 5 * 86_400_000),
      concurrent_requests: state(key.max_concurrent, 8, null),
    };
  }

  #secret(): string {
    return `sk-bve-${hex(this.#random, 64)}`;
  }
}

function matches(record: RequestRecord, query: URLSearchParams): boolean {
  const is = (name: string, value: unknown) => !query.get(name) || query.get(name) === String(value);
  return (
    is('key_id', record.keyId) &&
    is('request_id', record.requestId) &&
    is('model', record.model) &&
    is('endpoint', record.endpoint) &&
    is('finish', record.finish) &&
    is('status', record.status) &&
    record.durationMs >= Number(query.get('min_duration_ms') ?? 0)
  );
}

function refusal(status: number, code: string, message = 'Refused'): Response {
  const headers = { 'x-request-id': 'request-of-the-fake-gateway' };
  return Response.json({ error: { message, type: 'invalid_request_error', code } }, { status, headers });
}

const BLANK_KEY = {
  name: '',
  status: 'active',
  rpm_limit: 60,
  rpd_limit: 10_000,
  monthly_limit: null,
  monthly_token_limit: null,
  max_concurrent: null,
  allowed_models: null,
  allowed_endpoints: null,
  inject_stream_usage: null,
  on_leave: null,
  tags: {},
  expires_at: null,
  last_used_at: null,
} as const;

const TARGETS: Target[] = [
  {
    name: 'fuelix-1',
    state: 'up',
    in_flight: 212,
    attempts: 1_204_118,
    failures: 31,
    quota_available: 8_214_000,
    quota_reset: soon(5),
    rests_until: null,
  },
  {
    name: 'fuelix-2',
    state: 'resting',
    in_flight: 0,
    attempts: 640_220,
    failures: 118,
    quota_available: 0,
    quota_reset: soon(1),
    rests_until: soon(0.01),
  },
  {
    name: 'fuelix-3',
    state: 'probing',
    in_flight: 1,
    attempts: 88_012,
    failures: 9,
    quota_available: null,
    quota_reset: null,
    rests_until: null,
  },
];

function soon(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString();
}

const CONFIGURATION = {
  fuelix_api_keys: '***',
  fuelix_base_url: 'https://api.fuelix.ai/v1',
  admin_api_key: '***',
  api_key_pepper: '***',
  host: '0.0.0.0',
  port: 8080,
  database_url: 'postgres://bve:***@db.internal/bve',
  redis_url: null,
  stream_usage: 'off',
  stream_break: 'event',
  retry_attempts_max: 3,
  max_body_bytes: 10_485_760,
  max_concurrent_requests: 10_000,
  log_level: 'info',
};
