/** Elysia: routes and what surrounds them (health, CORS, 404 and 405). No logic of requests: that is gateway/. */
import { Elysia } from 'elysia';
import { DASHBOARD_PATHS, serveDashboard } from '../dashboard/serve-dashboard.ts';
import { type Envelope, GatewayError } from '../errors.ts';
import { ENDPOINTS, matchesPath } from '../gateway/endpoints.ts';
import { forward, routeNotFound } from '../gateway/forward.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { clientRequestId } from '../gateway/headers.ts';
import { keyStatus } from '../gateway/key-status.ts';
import { pathOf } from '../gateway/target.ts';
import { preflight, withCors } from './cors.ts';
import { refusal } from './refusal.ts';

export interface AppOptions {
  readonly gateway: Gateway;
  /** Answers whatever is under /admin, see admin/admin.ts; without it nothing is there. */
  readonly admin?: (request: Request) => Promise<Response>;
  readonly idleTimeoutS: number;
  /** Rejects when the store cannot be reached. */
  ping(): Promise<void>;
}

/** Far above the configured bound, which `readBody` keeps: Bun's own 413 is not in the OpenAI envelope. */
const BUN_BODY_BYTES_MAX = Number.MAX_SAFE_INTEGER;

export function createApp({ gateway, admin, idleTimeoutS, ping }: AppOptions) {
  const app = new Elysia({
    // Else `/v1/chat/completions/` is the endpoint for POST and an unknown path for every other method.
    strictPath: true,
    // Else Elysia looks for the path behind the 11th character of the URL: in `http://gw/admin` there is none.
    handler: { standardHostname: false },
    // Handlers are composed at start: otherwise the first request of each route pays for it.
    precompile: true,
    serve: {
      idleTimeout: idleTimeoutS,
      maxRequestBodySize: BUN_BODY_BYTES_MAX,
      // Elysia's default is true: a stale process on the same port would silently take part of the traffic.
      reusePort: false,
      // In development Bun prints every reset body as an error page and a stack.
      development: false,
    },
  })
    .onError(({ error, code, request }) =>
      refuse(request, code === 'NOT_FOUND' ? routeNotFound(request) : internal(request, error)),
    )
    .get('/health', ({ request }) => withCors(request, Response.json({ status: 'ok' })))
    .get('/ready', async ({ request }) => withCors(request, await readiness()))
    .get('/v1/key', async ({ request }) => withCors(request, await keyStatus(request, gateway)));

  if (admin) {
    for (const path of ['/admin', '/admin/*']) app.all(path, ({ request }) => admin(request), { parse: 'none' });
  }

  for (const path of DASHBOARD_PATHS) app.all(path, ({ request }) => serveDashboard(request), { parse: 'none' });

  for (const endpoint of ENDPOINTS) {
    app.route(
      endpoint.method,
      endpoint.path,
      ({ request }) => {
        const answer = forward(request, endpoint, gateway);
        return request.headers.get('origin') === null ? answer : answer.then((response) => withCors(request, response));
      },
      // The key is checked before any of the body is read, so Elysia must not read it either.
      { parse: 'none' },
    );
  }

  return app.all('/*', ({ request }) => elsewhere(request), { parse: 'none' });

  async function readiness(): Promise<Response> {
    if (gateway.slots.draining) return Response.json({ status: 'draining' }, { status: 503 });
    try {
      await ping();
      return Response.json({ status: 'ready' });
    } catch {
      return Response.json({ status: 'store_unreachable' }, { status: 503 });
    }
  }

  function elsewhere(request: Request): Response {
    const methods = methodsOf(pathOf(request.url));
    if (methods.length === 0) return refuse(request, routeNotFound(request));
    if (request.method === 'OPTIONS') return preflight(request, methods);
    const message = `Method ${request.method} is not allowed, use ${methods.join(' or ')}`;
    return refuse(request, new GatewayError('method_not_allowed', message, { allow: methods.join(', ') }));
  }

  function internal(request: Request, error: unknown): GatewayError {
    gateway.log.error({ err: error, method: request.method }, 'internal error');
    return new GatewayError('internal_error', 'Internal error', { cause: error });
  }
}

const ROUTES: readonly { method: string; path: string; envelope: Envelope }[] = [
  { method: 'GET', path: '/health', envelope: 'openai' },
  { method: 'GET', path: '/ready', envelope: 'openai' },
  { method: 'GET', path: '/v1/key', envelope: 'openai' },
  ...ENDPOINTS,
];

/** The methods that exist for a path: none means that the path does not exist. */
function methodsOf(pathname: string): string[] {
  return ROUTES.filter((route) => matchesPath(route.path, pathname)).map((route) => route.method);
}

function refuse(request: Request, error: GatewayError): Response {
  const path = pathOf(request.url);
  const envelope = ROUTES.find((route) => matchesPath(route.path, path))?.envelope ?? 'openai';
  const requestId = clientRequestId(request.headers) ?? crypto.randomUUID();
  return withCors(request, refusal(request, error, { requestId, envelope, bodyWasRead: false }));
}
