/**
 * The admin API (contract, section 7) as one function from request to answer: an Elysia app of its own, so that its
 * validation and its errors cannot leak into the data plane, nor the data plane's parsing into it.
 *
 * Guarantees: nothing of a request is read before its admin key was checked; every refusal is in OpenAI's envelope; no
 * answer may be cached, has CORS headers, or holds a hash.
 */
import { Elysia, type ParseError } from 'elysia';
import { GatewayError } from '../errors.ts';
import type { Deadlines } from '../http/deadlines.ts';
import type { Permits } from '../http/permits.ts';
import { refusal } from '../http/refusal.ts';
import { parseObject, readBody } from '../http/request-body.ts';
import { requestIdOf as newRequestIdOf } from '../http/request-id.ts';
import { pathOf, RouteTable, routeNotFound } from '../http/route.ts';
import type { Log } from '../observe/log.ts';
import type { Store } from '../store/store.ts';
import { StoreError } from '../store/store-error.ts';
import { adminGate } from './admin-key.ts';
import { type Body, graceSecondsFrom, keyChangesFrom, newKeyFrom } from './key-body.ts';
import { type ChangeReach, KeyDesk } from './key-service.ts';
import { queryOf } from './query.ts';
import { requestsQuestionFrom, usageQuestionFrom } from './usage-parameters.ts';
import { readUsageReport, usageRecordToJson, usageReportToJson } from './usage-report.ts';

export interface AdminOptions {
  readonly adminApiKey: string | undefined;
  readonly apiKeyPepper: string;
  readonly store: Store;
  /** Told of every change of a key, so that this process's next request knows of it. */
  readonly keys: ChangeReach;
  /** Brings what was recorded so far into the store, so that an answer knows of requests that have just ended. */
  flushUsage(deadlineMs: number): Promise<unknown>;
  readonly deadlines: Deadlines;
  /** Held by each change, so that none is cut between the database and the answer that shows a secret this once. */
  readonly changes: Permits;
  /** Begins what SIGTERM begins, without the exit. */
  drain(): { readonly status: string };
  readonly bodyTimeoutMs: number;
  readonly log: Log;
}

/** A key with a thousand allowed models has 40 kB. */
const BODY_BYTES_MAX = 64 * 1024;
/** Reading usage does not wait longer than this for a writer whose database is locked. */
const FLUSH_DEADLINE_MS = 250;
/** More would hold the event loop for longer than streams should wait. */
const USAGE_ROWS_MAX = 10_000;

export function createAdmin(options: AdminOptions): (request: Request) => Promise<Response> {
  const { store, log } = options;
  const gate = adminGate(options.adminApiKey);
  const desk = new KeyDesk(store, options.apiKeyPepper, options.keys, log);
  const requestIds = new WeakMap<Request, string>();
  const parse = async ({ request }: { request: Request }) => parseObject(await read(request));
  const parseOptional = async ({ request }: { request: Request }) => {
    const body = await read(request);
    return body.length === 0 ? {} : parseObject(body);
  };
  const none = { parse: 'none' } as const;

  const app = new Elysia({
    prefix: '/admin',
    strictPath: true,
    // Else Elysia looks for the path behind the 11th character of the URL: in `http://gw/admin` there is none.
    handler: { standardHostname: false },
  })
    .onError(({ error, code, request }) => refuse(request, refusalOf(request, error, code)))
    .get('/api-keys', () => answer(desk.list()))
    .post('/api-keys', ({ body }) => answer(desk.create(newKeyFrom(body as Body)), 201), { parse: [parse] })
    .get('/api-keys/:id', ({ params }) => answer(desk.get(params.id)))
    .patch('/api-keys/:id', ({ params, body }) => answer(desk.patch(params.id, keyChangesFrom(body as Body))), {
      parse: [parse],
    })
    .post('/api-keys/:id/revoke', ({ params }) => answer(desk.setStatus(params.id, 'revoked')), none)
    .post('/api-keys/:id/suspend', ({ params }) => answer(desk.setStatus(params.id, 'suspended')), none)
    .post('/api-keys/:id/activate', ({ params }) => answer(desk.setStatus(params.id, 'active')), none)
    .post(
      '/api-keys/:id/rotate',
      ({ params, body }) => answer(desk.rotate(params.id, graceSecondsFrom(body as Body))),
      {
        parse: [parseOptional],
      },
    )
    .post('/drain', () => Response.json(options.drain()), none)
    .get('/usage', ({ request }) => answer(usage(usageQuestionFrom(request.url))))
    .get('/requests', ({ request }) => answer(requests(requestsQuestionFrom(request.url))))
    .all('/*', ({ request }) => refuse(request, table.refusalOf(request)), none)
    .compile();
  const table = new RouteTable(app.routes.filter(({ method }) => method !== 'ALL'));

  return async (request) => {
    const response = await handle(request);
    response.headers.set('x-request-id', requestIdOf(request));
    // Some of these answers hold a key.
    response.headers.set('cache-control', 'no-store');
    return response;
  };

  async function handle(request: Request): Promise<Response> {
    const isChange = request.method !== 'GET' && request.method !== 'HEAD' && pathOf(request.url) !== '/admin/drain';
    try {
      gate(request.headers);
      queryOf(request.url);
      if (isChange) options.changes.take();
    } catch (error) {
      return refuse(request, refusalOf(request, error, 'UNKNOWN'));
    }
    try {
      // Elysia answers HEAD only where it has a route of its own; Bun leaves out the body.
      const asked = request.method === 'HEAD' ? new Request(request.url, { headers: request.headers }) : request;
      return await app.handle(asked);
    } finally {
      if (isChange) options.changes.release();
    }
  }

  function read(request: Request): Promise<Uint8Array> {
    return readBody(
      request,
      { maxBodyBytes: BODY_BYTES_MAX, requestBodyTimeoutMs: options.bodyTimeoutMs },
      options.deadlines,
    );
  }

  async function usage(question: ReturnType<typeof usageQuestionFrom>) {
    await options.flushUsage(FLUSH_DEADLINE_MS);
    const report = await readUsageReport(store, question, Date.now(), USAGE_ROWS_MAX);
    if (report.daily.length > USAGE_ROWS_MAX || report.monthly.length > USAGE_ROWS_MAX) {
      throw new GatewayError(
        'invalid_request',
        `More than ${USAGE_ROWS_MAX} rows: narrow 'from' and 'to', or 'key_id'`,
      );
    }
    return usageReportToJson(report);
  }

  async function requests(question: ReturnType<typeof requestsQuestionFrom>) {
    await options.flushUsage(FLUSH_DEADLINE_MS);
    return (await store.recentUsage(question)).map(usageRecordToJson);
  }

  function refuse(request: Request, error: GatewayError): Response {
    return refusal(request, error, { requestId: requestIdOf(request) });
  }

  /** One for the answer and for whatever is logged on the way to it. */
  function requestIdOf(request: Request): string {
    const known = requestIds.get(request);
    if (known !== undefined) return known;
    const requestId = newRequestIdOf(request.headers);
    requestIds.set(request, requestId);
    return requestId;
  }

  function refusalOf(request: Request, error: unknown, code: string | number): GatewayError {
    // What a parser throws comes wrapped.
    const reason = code === 'PARSE' ? (error as ParseError).cause : error;
    if (reason instanceof GatewayError) return reason;
    if (code === 'NOT_FOUND') return routeNotFound(request);
    if (reason instanceof StoreError && (reason.kind === 'busy' || reason.kind === 'unavailable')) {
      log.warn({ request_id: requestIdOf(request), err: reason }, 'the admin API cannot reach the database');
      return new GatewayError('overloaded', 'The database cannot be reached, try again', { retryAfterS: 1 });
    }
    log.error({ request_id: requestIdOf(request), err: reason }, 'internal error');
    return new GatewayError('internal_error', 'Internal error', { cause: reason });
  }
}

async function answer(value: Promise<unknown>, status = 200): Promise<Response> {
  return Response.json(await value, { status });
}
