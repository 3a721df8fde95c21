/**
 * Serves the web application: its page under /dashboard… and /docs, its files under /dashboard/assets/. They are the same
 * for everybody and hold no data; what they show comes from the admin API, with the admin key.
 *
 * A page route of Bun's own carries no headers, so the files are served here. The policy allows what the bundle holds and
 * nothing else: no inline script or style, no other origin, no frame around it.
 */
import { refusal } from '../http/refusal.ts';
import { pathOf, routeNotFound } from '../http/route.ts';
import { ASSETS_PATH, type BundleFile, loadBundle } from './bundle.ts';

/** What the router hands to `serveDashboard`. */
export const DASHBOARD_PATHS = ['/dashboard', '/dashboard/', '/dashboard/*', '/docs'] as const;

const SECURITY_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "font-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** A name with a hash in it never means other bytes. */
const FOR_EVER = 'public, max-age=31536000, immutable';
/** The page names the files of this build, so it is asked for each time; mostly the answer is 304. */
const ASK_FIRST = 'no-cache';

export async function serveDashboard(request: Request): Promise<Response> {
  const path = pathOf(request.url);
  if (path === '/dashboard/') return redirect('/dashboard');
  const { page, assets } = await loadBundle();
  if (!path.startsWith(ASSETS_PATH)) return fileAnswer(request, page, ASK_FIRST);
  const asset = assets.get(path.slice(ASSETS_PATH.length));
  if (asset !== undefined) return fileAnswer(request, asset, FOR_EVER);
  return refusal(request, routeNotFound(request));
}

function redirect(location: string): Response {
  return new Response(null, { status: 308, headers: { ...SECURITY_HEADERS, location } });
}

function fileAnswer(request: Request, file: BundleFile, cacheControl: string): Response {
  const gzipped = acceptsGzip(request.headers.get('accept-encoding')) ? file.gzipped : null;
  // Two encodings are two representations (RFC 9110, section 8.8.3), each with a tag of its own.
  const etag = gzipped === null ? file.etag : file.etag.replace(/"$/, '-gzip"');
  const headers: Record<string, string> = {
    ...SECURITY_HEADERS,
    'cache-control': cacheControl,
    etag,
    vary: 'accept-encoding',
  };
  if (matchesEtag(request.headers.get('if-none-match'), etag)) return new Response(null, { status: 304, headers });
  headers['content-type'] = file.contentType;
  if (gzipped !== null) headers['content-encoding'] = 'gzip';
  return new Response(gzipped ?? file.bytes, { headers });
}

/** Whether gzip is named and not switched off by `q=0`. */
function acceptsGzip(acceptEncoding: string | null): boolean {
  const gzip = acceptEncoding?.split(',').find((item) => /^\s*(gzip|\*)\s*(;|$)/i.test(item));
  return gzip !== undefined && !/;\s*q=0(\.0*)?\s*$/i.test(gzip);
}

export function matchesEtag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  return ifNoneMatch.split(',').some((item) => item.trim() === '*' || item.trim().replace(/^W\//, '') === etag);
}
