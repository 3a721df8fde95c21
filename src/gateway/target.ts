/** What of a request's URL goes upstream: the path behind /v1 and the query, without anything that looks like our keys. */

import { indexOrEnd, matchesPath, pathOf, queryStartOf } from '../http/route.ts';
import { holdsKey } from '../keys/redact-keys.ts';

/**
 * The path and query to append to the upstream base URL; null when the path is not that of the endpoint it was routed to, or
 * has a client key in it.
 *
 * Bun's router matches the raw request line, but `request.url` is that line, and the Host header, resolved by a URL parser:
 * for `/v1/models/..`, `//x/v1/models/y` or `Host: a/b` the two differ, and without this check another resource is reached.
 * Upstream may decode before it resolves, and more than once, so dot segments in any escaping count as well.
 * @param route the endpoint's path as it is mounted
 */
export function upstreamTarget(url: string, route: string): string | null {
  const path = pathOf(url);
  if (path !== route && (!matchesPath(route, path) || isAmbiguous(path) || holdsKey(path))) return null;
  return path.slice('/v1'.length) + withoutOwnKeys(url.slice(queryStartOf(url), indexOrEnd(url, '#')));
}

/**
 * Whether a path has no escapes in it. Only a model's name needs them; anywhere else an escaped slash or letter could make it
 * the path of another endpoint, with other rules, for a server that decodes it.
 */
export function isUnescaped(target: string): boolean {
  return !/[%\\]/.test(target.slice(0, indexOrEnd(target, '?')));
}

/** Whether the query has `stream=true`, which makes a GET a stream. */
export function asksForStream(target: string): boolean {
  const query = indexOrEnd(target, '?');
  return query < target.length && /[?&]stream=true(&|$)/.test(target.slice(query));
}

const MODELS = '/models/';

/** The model that a target under /models names: the rest of its path, which may contain slashes, decoded. */
export function modelOf(target: string): string {
  return decodeURIComponent(target.slice(MODELS.length, indexOrEnd(target, '?')));
}

/** More escapes in escapes than anybody needs; what has more is refused. */
const DECODED_TIMES_MAX = 5;

/**
 * True for a dot segment, for a `;`, behind which some servers read parameters of the segment (`..;x` is `..`), and for a
 * control character, where others end it (`..%00` is `..`). And for a malformed escape: what nobody can decode, nobody can judge.
 */
function isAmbiguous(path: string): boolean {
  let text = path;
  for (let times = 0; times <= DECODED_TIMES_MAX; times++) {
    if (/(^|[/\\])\.{1,2}([/\\]|$)/.test(text) || /[;\p{Cc}]/u.test(text)) return true;
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
  if (!holdsKey(query)) return query;
  const kept = query
    .slice(1)
    .split('&')
    .filter((pair) => !holdsKey(pair));
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}
