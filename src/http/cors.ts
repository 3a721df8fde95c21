/**
 * Answers browsers (contract, section 8): any origin may call, because a key is needed anyway and no cookie is ever read.
 * Only requests with an `Origin` get these headers.
 */
const EXPOSED_HEADERS =
  'X-Request-Id, X-BVE-Latency, Retry-After, Retry-After-Ms, X-Should-Retry, X-Quota-Allowed, X-Quota-Available, X-Quota-Reset';
const ALLOWED_HEADERS = ['Authorization', 'Content-Type', 'X-Request-Id'];
/** All of them on every path: a browser shows the answer to a wrong path or method only if the preflight let it through. */
const ALLOWED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE';
const CACHED_S = 24 * 60 * 60;
/** RFC 9110, section 5.6.2: what a header's name may be. Nothing else of the request comes back. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function isCrossOrigin(request: Request): boolean {
  return request.headers.get('origin') !== null;
}

export function withCors(request: Request, response: Response): Response {
  if (isCrossOrigin(request)) addCors(response.headers);
  return response;
}

/** The answer to OPTIONS, on any path. @param methods those that exist for it */
export function preflight(request: Request, methods: readonly string[]): Response {
  const headers = new Headers();
  if (methods.length > 0) headers.set('allow', [...methods, 'OPTIONS'].join(', '));
  if (isCrossOrigin(request)) {
    addCors(headers);
    headers.set('access-control-allow-methods', ALLOWED_METHODS);
    headers.set('access-control-allow-headers', allowedHeaders(request.headers.get('access-control-request-headers')));
    headers.set('access-control-max-age', String(CACHED_S));
  }
  return new Response(null, { status: 204, headers });
}

/** The three that every client needs, and whatever else is asked for: SDKs in browsers send some ten of their own. */
function allowedHeaders(requested: string | null): string {
  const names = new Map(ALLOWED_HEADERS.map((name) => [name.toLowerCase(), name]));
  for (const item of requested?.split(',') ?? []) {
    const name = item.trim();
    if (TOKEN.test(name) && !names.has(name.toLowerCase())) names.set(name.toLowerCase(), name);
  }
  return [...names.values()].join(', ');
}

function addCors(headers: Headers): void {
  headers.set('access-control-allow-origin', '*');
  headers.set('access-control-expose-headers', EXPOSED_HEADERS);
}
