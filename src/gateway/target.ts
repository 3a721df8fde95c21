/** What of a request's URL goes upstream: the path behind /v1 and the query, without anything that looks like our keys. */

const OWN_KEY_MARK = 'sk-bve-';

/**
 * The path and query to append to the upstream base URL; null when the path could leave the endpoint it was routed to
 * (a dot segment in any spelling is resolved by URL parsers, so `/v1/models/%2e%2e` would reach another resource).
 */
export function upstreamTarget(url: string): string | null {
  const pathStart = url.indexOf('/', url.indexOf('://') + 3);
  const end = indexOrEnd(url, '#');
  const queryStart = Math.min(indexOrEnd(url, '?'), end);
  const path = url.slice(pathStart + '/v1'.length, queryStart);
  if (/(^|\/)(\.|%2e){1,2}(\/|$)/i.test(path) || path.includes('\\')) return null;
  return path + withoutOwnKeys(url.slice(queryStart, end));
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
