/**
 * The admin API (contract, section 7): its routes and one function from request to response, backed by an Elysia app of its own, so that
 * its parsing and its errors stay separate from the data plane.
 *
 * Guarantees: the admin key is checked before anything else of a request is read; every error uses OpenAI's envelope; no
 * response is cacheable, has CORS headers, or contains a key hash.
 */
import { bearer } from '@elysiajs/bearer';
import { Elysia } from 'elysia';
import { GatewayError } from '../errors.ts';
import { parseObject } from '../http/body-fields.ts';
import { BodyReader } from '../http/body-reader.ts';
import type { Deadlines } from '../http/deadlines.ts';
import type { Permits } from '../http/permits.ts';
import { refusal } from '../http/refusal.ts';
import { requestIdOf as newRequestIdOf } from '../http/request-id.ts';
import { pathOf, type Route, RouteTable, routeNotFound } from '../http/route.ts';
import type { Limiter } from '../limits/limiter.ts';
import type { Log } from '../observe/log.ts';
import type { Store } from '../store/store.ts';
import { StoreError } from '../store/store-error.ts';
import { AdminGate } from './admin-key.ts';
import { AuditLog, type Caller } from './audit-log.ts';
import { keyRoutes } from './key-routes.ts';
import { type HeldKeys, KeyService } from './key-service.ts';
import type { LiveFeed } from './live-feed.ts';
import { queryOf } from './query.ts';
import { UNREAD } from './request.ts';
import { type UsageRoutesOptions, usageRoutes } from './usage-routes.ts';

interface AdminOptions extends Pick<UsageRoutesOptions, 'flushUsage'> {
  readonly adminApiKey: string | undefined;
  readonly apiKeyPepper: string;
  readonly store: Store;
  /** Notified of each change to a key, so that this process applies it to the next request. */
  readonly keys: HeldKeys;
  readonly limiter: Pick<Limiter, 'status'>;
  /** The response of GET /admin/config. */
  effectiveConfig(): object;
  /** Answers GET /admin/live. */
  readonly live: Pick<LiveFeed, 'open'>;
  /** The response of GET /admin/targets. */
  targets(): object | Promise<object>;
  /** The peer address of a request; null when the connection is closed. */
  addressOf(request: Request): string | null;
  readonly deadlines: Deadlines;
  /** A change holds one of these permits until its response is ready: a stop must not lose a secret that is shown only once. */
  readonly changes: Permits;
  /** Starts the drain that SIGTERM starts, without the exit. */
  drain(): { readonly status: string };
  readonly bodyTimeoutMs: number;
  readonly log: Log;
}

/** A key with 1,000 allowed models takes 40 kB. */
const BODY_BYTES_MAX = 64 * 1024;

interface AdminApi {
  readonly routes: readonly Route[];
  handle(request: Request): Promise<Response>;
}

export function createAdmin(options: AdminOptions): AdminApi {
  const { store, limiter, keys, log } = options;
  const gate = new AdminGate(options.adminApiKey);
  const audit = new AuditLog(log);
  const bodies = new BodyReader({
    bytesMax: BODY_BYTES_MAX,
    // Whoever sends one has the admin key.
    bytesTotalMax: Number.POSITIVE_INFINITY,
    timeoutMs: options.bodyTimeoutMs,
    deadlines: options.deadlines,
  });
  const service = new KeyService({ store, pepper: options.apiKeyPepper, keys, limiter, audit });
  const requestIds = new WeakMap<Request, string>();

  const app = new Elysia({
    prefix: '/admin',
    strictPath: true,
    // Else Elysia looks for the path behind the 11th character of the URL: in `http://gw/admin` there is none.
    handler: { standardHostname: false },
  })
    .onError(({ error, code, request }) => refuse(request, refusalOf(request, error, code)))
    // `?access_token=` is off. The plugin runs after parsing and reads "BearerXtok" as "tok", so it does not replace the
    // strict check in `answer`; it is a second one, for a route that is ever mounted without that.
    .use(bearer({ extract: { body: '\0', query: '\0', header: 'Bearer' } }))
    .onBeforeHandle(({ bearer: token, request }) => {
      if (!gate.accepts(token?.trimStart() ?? '')) gate.check(request.headers.get('authorization'));
    })
    .use(keyRoutes(service, { readBody: parsedBody, readOptionalBody: parsedOptionalBody, callerOf }))
    .use(usageRoutes({ store, flushUsage: options.flushUsage }))
    .get('/live', () => options.live.open())
    .get('/config', () => Response.json(options.effectiveConfig()))
    .get('/targets', async () => Response.json(await options.targets()))
    .post(
      '/drain',
      ({ request }) => {
        audit.changed('drain', callerOf(request), {});
        return Response.json(options.drain());
      },
      UNREAD,
    )
    .all('/*', ({ request }) => refuse(request, table.refusalOf(request)), UNREAD)
    .compile();
  const routes = app.routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => ({ method, path }));
  const table = new RouteTable(routes);

  return {
    routes,
    async handle(request) {
      const response = await answer(request);
      response.headers.set('x-request-id', requestIdOf(request));
      // Some responses contain a secret.
      response.headers.set('cache-control', 'no-store');
      return response;
    },
  };

  async function answer(request: Request): Promise<Response> {
    const isChange = request.method !== 'GET' && request.method !== 'HEAD' && pathOf(request.url) !== '/admin/drain';
    try {
      checkKey(request);
      queryOf(request.url);
      if (isChange) options.changes.take();
    } catch (error) {
      return refuse(request, refusalOf(request, error, 'UNKNOWN'));
    }
    try {
      // Elysia answers HEAD only where it has a route of its own; Bun leaves out the body.
      if (request.method !== 'HEAD') return await app.handle(request);
      const response = await app.handle(new Request(request.url, { headers: request.headers }));
      if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return response;
      // Nobody will read the stream.
      await response.body?.cancel();
      return new Response(null, response);
    } finally {
      if (isChange) options.changes.release();
    }
  }

  function checkKey(request: Request): void {
    const authorization = request.headers.get('authorization');
    try {
      gate.check(authorization);
    } catch (error) {
      const isGuess = authorization && error instanceof GatewayError && error.code === 'invalid_api_key';
      if (isGuess) audit.wrongKey(callerOf(request));
      throw error;
    }
  }

  async function parsedBody(request: Request) {
    return parseObject(await read(request));
  }

  async function parsedOptionalBody(request: Request) {
    const body = await read(request);
    return body.length === 0 ? {} : parseObject(body);
  }

  async function read(request: Request): Promise<Uint8Array> {
    const holder = { heldBodyBytes: 0 };
    try {
      return await bodies.read(request, holder);
    } finally {
      bodies.release(holder);
    }
  }

  function callerOf(request: Request): Caller {
    return { requestId: requestIdOf(request), address: options.addressOf(request) };
  }

  function refuse(request: Request, error: GatewayError): Response {
    return refusal(request, error, { requestId: requestIdOf(request) });
  }

  /** The same id in the response and in log lines. */
  function requestIdOf(request: Request): string {
    const known = requestIds.get(request);
    if (known !== undefined) return known;
    const requestId = newRequestIdOf(request.headers);
    requestIds.set(request, requestId);
    return requestId;
  }

  function refusalOf(request: Request, error: unknown, code: string | number): GatewayError {
    if (error instanceof GatewayError) return error;
    if (code === 'NOT_FOUND') return routeNotFound(request);
    if (error instanceof StoreError && (error.kind === 'busy' || error.kind === 'unavailable')) {
      log.warn({ request_id: requestIdOf(request), err: error }, 'the admin API cannot reach the database');
      return new GatewayError('overloaded', 'The database cannot be reached, try again', { retryAfterS: 1 });
    }
    log.error({ request_id: requestIdOf(request), err: error }, 'internal error');
    return new GatewayError('internal_error', 'Internal error', { cause: error });
  }
}
