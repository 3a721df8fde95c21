/** The target of the load: a URL and a path, parsed for the socket and the request head. */
import { isIP } from 'node:net';

/** The URL or the path is wrong; the message says how. */
export class TargetError extends Error {
  override name = 'TargetError';
}

/** The API of a path; it decides the form of the default body. */
type Api = 'chat' | 'responses' | 'messages';

export interface LoadTarget {
  readonly hostname: string;
  readonly port: number;
  readonly tls: boolean;
  /** The `host` header. */
  readonly host: string;
  /** With the query, if any. */
  readonly path: string;
  readonly api: Api;
  /** For reports: without query and credentials. */
  readonly label: string;
}

export const DEFAULT_PATH = '/v1/chat/completions';

/**
 * A URL that already names an endpoint is taken as it is; otherwise the path is appended, and `/v1` is not doubled:
 * `http://host`, `http://host/v1` and `http://host/v1/chat/completions` mean the same.
 * @throws TargetError
 */
export function targetOf(text: string, path?: string): LoadTarget {
  const url = parseUrl(text);
  if (path !== undefined && !/^\/[!-~]*$/.test(path))
    throw new TargetError(`the path must begin with /, not '${path}'`);
  if (url.username !== '' || url.password !== '')
    throw new TargetError('a URL with credentials is not allowed; use --key');
  const tls = url.protocol === 'https:';
  const full = joined(url, path);
  const pathname = full.split('?', 1)[0]!;
  const bare = url.hostname.replace(/^\[|\]$/g, '');
  return {
    hostname: bare,
    port: url.port === '' ? (tls ? 443 : 80) : Number(url.port),
    tls,
    host: url.host,
    path: full,
    api: pathname.endsWith('/responses') ? 'responses' : pathname.endsWith('/messages') ? 'messages' : 'chat',
    label: `${url.protocol}//${url.host}${pathname}`,
  };
}

/** The server name for TLS; none for an IP address. */
export function serverNameOf(target: LoadTarget): string | undefined {
  return isIP(target.hostname) ? undefined : target.hostname;
}

function parseUrl(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new TargetError(`'${text}' is not a URL such as http://127.0.0.1:8080`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TargetError(`'${text}' is not an http or https URL`);
  }
  return url;
}

function joined(url: URL, path: string | undefined): string {
  const base = url.pathname.replace(/\/+$/, '');
  if (path === undefined && /\/(completions|responses|messages)$/.test(base)) return base + url.search;
  const end = path ?? DEFAULT_PATH;
  return (/\/v\d+$/.test(base) ? base + end.replace(/^\/v\d+(?=\/)/, '') : base + end) + url.search;
}
