/**
 * Answers browsers (contract, section 8): any origin may call, because a key is needed anyway and no cookie is ever read.
 * Only requests with an `Origin` get these headers.
 */
export function withCors(request: Request, response: Response): Response {
  if (request.headers.get('origin') !== null) addCors(response.headers);
  return response;
}

/** The answer to OPTIONS on a path that takes these methods. */
export function preflight(request: Request, methods: readonly string[]): Response {
  const allow = methods.join(', ');
  const headers = new Headers({ allow });
  if (request.headers.get('origin') !== null) {
    addCors(headers);
    headers.set('access-control-allow-methods', allow);
    headers.set('access-control-allow-headers', 'Authorization, Content-Type, X-Request-Id');
    headers.set('access-control-max-age', String(24 * 60 * 60));
  }
  return new Response(null, { status: 204, headers });
}

function addCors(headers: Headers): void {
  headers.set('access-control-allow-origin', '*');
  headers.set('access-control-expose-headers', 'X-Request-Id');
}
