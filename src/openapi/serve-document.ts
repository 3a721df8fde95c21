/** GET /openapi.json: the API reference as an OpenAPI 3.1 document. It is public, and the same for everybody. */
import { matchesEtag } from '../dashboard/serve-dashboard.ts';
import type { Route } from '../http/route.ts';
import { openApiDocument } from './document.ts';

/** A day would hide the routes of an upgrade. */
const CACHE_CONTROL = 'public, max-age=60';

/** The document is made on first use: most processes are never asked for it. */
export function documentServer(routes: () => readonly Route[]): (request: Request) => Response {
  let made: { readonly text: string; readonly etag: string } | undefined;
  return (request) => {
    made ??= tagged(JSON.stringify(openApiDocument(routes())));
    const { text, etag } = made;
    const headers = { 'cache-control': CACHE_CONTROL, etag };
    if (matchesEtag(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers });
    return new Response(text, { headers: { ...headers, 'content-type': 'application/json' } });
  };
}

function tagged(text: string) {
  return { text, etag: `"${Bun.SHA256.hash(text, 'hex').slice(0, 32)}"` };
}
