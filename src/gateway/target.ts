/** What of a request's URL goes upstream: the path behind /v1 and the query, without anything that looks like our keys. */

import { matchesPath } from './endpoints.ts';

const OWN_KEY_MARK = 'sk-bve-';

/**
 * The path and query to append to the upstream base URL; null when the path is not that of the endpoint it was routed to.
 *
 * Bun's router matches the raw request line, but `request.url` is that line, and the Host header, resolved by a URL parser:
 * for `/v1/models/..`, `//x/v1/models/y` or `Host: a/b` the two differ, and without this check another resource is reached.
 * Upstream may decode before it resolves, so dot segments behind `%2f` and `%5c` count as well.
 */
export function upstreamTarget(url: string, endpointPath: string): string | null {
  const path = pathOf(url);
  if (path !== endpointPath && (!matchesPath(endpointPath, path) || hasDotSegment(path))) return null;
  return path.slice('/v1'.length) + withoutOwnKeys(url.slice(queryStartOf(url), indexOrEnd(url, '#')));
}

/** The path of a request's URL; never throws, because with a malformed or empty Host header Bun has only a path for a URL. */
export function pathOf(url: string): string {
  const pathStart = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('://') + 3);
  return url.slice(pathStart, queryStartOf(url));
}

function queryStartOf(url: string): number {
  return Math.min(indexOrEnd(url, '?'), indexOrEnd(url, '#'));
}

/** The last segment of a target's path, decoded. */
export function lastSegment(target: string): string {
  const path = target.slice(0, indexOrEnd(target, '?'));
  return decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
}

/** True for a malformed escape too: what nobody can decode, nobody can judge. */
function hasDotSegment(path: string): boolean {
  try {
    return /(^|[/\\])\.{1,2}([/\\]|$)/.test(decodeURIComponent(path));
  } catch {
    return true;
  }
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

function indexOrEnd(text: string, mark: string): number {
  const index = text.indexOf(mark);
  return index === -1 ? text.length : index;
}
