/** Elysia: mounts the routes, and does for each what all have in common (Host, CORS, 404, 405, OPTIONS). No logic of requests. */
import { Elysia } from 'elysia';
import { DASHBOARD_PATHS, serveDashboard } from '../dashboard/serve-dashboard.ts';
import { GatewayError } from '../errors.ts';
import { ENDPOINTS } from '../gateway/endpoints.ts';
import { forward } from '../gateway/forward.ts';
import type { Gateway } from '../gateway/gateway.ts';
import { keyStatus } from '../gateway/key-status.ts';
import { documentServer } from '../openapi/serve-document.ts';
import { isCrossOrigin, preflight, withCors } from './cors.ts';
import type { Drain } from './drain.ts';
import { refusal } from './refusal.ts';
import { raiseHeadBytesMax, refusalOfHead } from './request-head.ts';
import { type Handler, pathOf, type Route, RouteTable, routeNotFound } from './route.ts';

interface AppOptions {
  readonly gateway: Gateway;
  /** Answers whatever is under /admin, see admin/admin.ts; without it nothing is there. */
  readonly admin?: { readonly routes: readonly Route[]; handle(request: Request): Promise<Response> };
  readonly drain: Pick<Drain, 'hasBegun' | 'endsConnections'>;
  readonly idleTimeoutS: number;
  /** GET /metrics; without it there is none. */
  readonly metrics?: ((request: Request) => Response | Promise<Response>) | undefined;
  /** Rejects when the store cannot be reached; undefined: being ready does not depend on it. */
  readonly ping: (() => Promise<void>) | undefined;
  /** Other processes of ours listen on the same port. */
  readonly isShared?: boolean;
}

/** Far above the configured bound, which `BodyReader` keeps: Bun's own 413 is not in the OpenAI envelope. */
const BUN_BODY_BYTES_MAX = Number.MAX_SAFE_INTEGER;

export function createApp({ gateway, admin, drain, idleTimeoutS, metrics, ping, isShared }: AppOptions) {
  const handlers: readonly Handler[] = [
    { method: 'GET', path: '/', handle: () => new Response('BVE Gateway: the API is under /v1\n') },
    { method: 'GET', path: '/health', handle: () => Response.json({ status: 'ok' }) },
    { method: 'GET', path: '/ready', handle: readiness },
    ...(metrics ? [{ method: 'GET', path: '/metrics', handle: metrics }] : []),
    { method: 'GET', path: '/openapi.json', handle: documentServer(() => [...handlers, ...(admin?.routes ?? [])]) },
    ...DASHBOARD_PATHS.map((path) => ({ method: 'GET', path, handle: serveDashboard })),
    { method: 'GET', path: '/v1/key', handle: (request) => keyStatus(request, gateway) },
    ...ENDPOINTS.map((endpoint) => ({
      method: endpoint.method,
      path: endpoint.mountedAt ?? endpoint.path,
      handle: (request: Request) => forward(request, endpoint, gateway),
    })),
  ];
  const table = new RouteTable(handlers);

  raiseHeadBytesMax();
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
      reusePort: isShared ?? false,
      // In development Bun prints every reset body as an error page and a stack.
      development: false,
    },
  }).onError(({ error, code, request }) =>
    withCors(request, refusal(request, code === 'NOT_FOUND' ? routeNotFound(request) : internal(request, error))),
  );

  // The key is checked before any of the body is read, so Elysia must not read it either.
  const unread = { parse: 'none' } as const;
  for (const { method, path, handle } of handlers) {
    const methods = method === 'GET' ? ['GET', 'HEAD'] : [method];
    for (const each of methods) app.route(each, path, ({ request }) => answer(request, handle), unread);
  }
  if (admin) {
    for (const path of ['/admin', '/admin/*']) {
      app.all(
        path,
        ({ request }) => {
          const error = refusalOfHead(request);
          return error ? refusal(request, error) : admin.handle(request);
        },
        unread,
      );
    }
  }
  return app.all('/*', ({ request }) => answer(request, unmatched), unread);

  function answer(request: Request, handle: Handler['handle']): Response | Promise<Response> {
    const error = refusalOfHead(request);
    const response = error ? refusal(request, error) : handle(request);
    const isDraining = drain.endsConnections;
    if (!isCrossOrigin(request) && request.method !== 'HEAD' && !isDraining) return response;
    const finish = (settled: Response) => {
      // The connection's next request belongs to another gateway: a balancer of connections would keep sending it here.
      if (isDraining) settled.headers.set('connection', 'close');
      return keepLength(request, withCors(request, settled));
    };
    return response instanceof Promise ? response.then(finish) : finish(response);
  }

  function unmatched(request: Request): Response {
    if (request.method === 'OPTIONS') {
      const methods = table.methodsOf(pathOf(request.url));
      if (methods.length > 0 || isCrossOrigin(request)) return preflight(request, methods);
    }
    return refusal(request, table.refusalOf(request));
  }

  async function readiness(): Promise<Response> {
    if (drain.hasBegun) return Response.json({ status: 'draining' }, { status: 503 });
    try {
      await ping?.();
      return Response.json({ status: 'ready' });
    } catch {
      return Response.json({ status: 'store_unreachable' }, { status: 503 });
    }
  }

  function internal(request: Request, error: unknown): GatewayError {
    gateway.log.error({ err: error, method: request.method }, 'internal error');
    return new GatewayError('internal_error', 'Internal error', { cause: error });
  }
}

/**
 * On a route with parameters Elysia sets the content-length of an answer to HEAD to that of the body at hand, which is none
 * (ELYSIA 1.4.30): what upstream announced stays.
 */
function keepLength(request: Request, response: Response): Response {
  if (request.method === 'HEAD' && response.headers.has('content-length'))
    Object.defineProperty(response.headers, 'set', { value: () => {} });
  return response;
}
