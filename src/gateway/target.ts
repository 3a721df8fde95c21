/** What of a request's URL goes upstream: the path behind /v1 and the query, without anything that looks like our keys. */

import { indexOrEnd, matchesPath, pathOf, queryStartOf } from '../http/route.ts';

const OWN_KEY_MARK = 'sk-bve-';

/**
 * The path and query to append to the upstream base URL; null when the path is not that of the endpoint it was routed to.
 *
 * Bun's router matches the raw request line, but `request.url` is that line, and the Host header, resolved by a URL parser:
 * for `/v1/models/..`, `//x/v1/models/y` or `Host: a/b` the two differ, and without this check another resource is reached.
 * Upstream may decode before it resolves, and more than once, so dot segments in any escaping count as well.
 * @param route the endpoint's path as it is mounted
 */
export function upstreamTarget(url: string, route: string): string | null {
  const path = pathOf(url);
  if (path !== route && (!matchesPath(route, path) || isAmbiguous(path))) return null;
  return path.slice('/v1'.length) + withoutOwnKeys(url.slice(queryStartOf(url), indexOrEnd(url, '#')));
}

const MODELS = '/models/';

/** The model that a target under /models names: the rest of its path, which may contain slashes, decoded. */
export function modelOf(target: string): string {
  return decodeURIComponent(target.slice(MODELS.length, indexOrEnd(target, '?')));
}

/** More escapes in escapes than anybody needs; what has more is refused. */
const DECODED_TIMES_MAX = 5;

/**
 * True for a dot segment, and for a `;`, behind which some servers read parameters of the segment (`..;x` is `..`). And for
 * a malformed escape: what nobody can decode, nobody can judge.
 */
function isAmbiguous(path: string): boolean {
  let text = path;
  for (let times = 0; times <= DECODED_TIMES_MAX; times++) {
    if (/(^|[/\\])\.{1,2}([/\\]|$)/.test(text) || text.includes(';')) return true;
    let decoded: string;
    try {
      decoded = decodeURIComponent(text);
    } catch {
      // Decoded once it is a name with a `%` in it, and no escape.
      return times === 0;
    }
    if (decoded === text) return false;
    text = decoded;
  }
  return true;
}

/** Credentials are never taken from a query string, and one that a client puts there by mistake must not travel on. */
function withoutOwnKeys(query: string): string {
  if (query.length <= 1) return '';
  if (!decodeLoosely(query).includes(OWN_KEY_MARK)) return query;
  const kept = query
    .slice(1)
    .split('&')
    .filter((pair) => !decodeLoosely(pair).includes(OWN_KEY_MARK));
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

function decodeLoosely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A malformed escape elsewhere in the query must not hide a key in it.
    return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
}
