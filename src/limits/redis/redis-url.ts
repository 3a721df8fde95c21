/**
 * What REDIS_URL may say: one server, a primary that sentinels know, or a cluster.
 *
 *   redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]
 *   redis+sentinel://[USER[:PASSWORD]@]HOST[:PORT],HOST[:PORT]…/NAME[/DATABASE]     the sentinels; user and database are the primary's
 *   redis+cluster://[USER[:PASSWORD]@]HOST[:PORT],HOST[:PORT]…                      some of its nodes
 *
 * `rediss` in place of `redis`: over TLS. A name and a password are percent-encoded where need be.
 */

export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster';
  readonly tls: boolean;
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** By which sentinels know the primary. */
  readonly primary: string | undefined;
}

const FORM = /^(rediss?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/@?#]+)((?:\/[^?#]*)?)$/;
const DEFAULT_PORT = { single: 6379, sentinel: 26_379, cluster: 6379 } as const;

/** @throws Error with a message that repeats no password */
export function parseRedisUrl(text: string): RedisAddress {
  const [, scheme, suffix, credentials, hosts, path] = FORM.exec(text) ?? [];
  if (scheme === undefined) throw new Error('must be redis://[USER:PASSWORD@]HOST[:PORT], or rediss:// for TLS');
  const kind = suffix === 'sentinel' || suffix === 'cluster' ? suffix : 'single';
  const nodes = hosts!.split(',').map((host) => parseNode(host, DEFAULT_PORT[kind]));
  if (kind === 'single' && nodes.length > 1) {
    throw new Error('names several servers: write redis+sentinel:// or redis+cluster://');
  }
  const [first = '', second, ...rest] = path!.replace(/^\//, '').replace(/\/$/, '').split('/');
  if (rest.length > 0) throw new Error('has too many parts in its path');
  const [name, database] = kind === 'sentinel' ? [first, second ?? ''] : ['', first];
  if (kind === 'sentinel' && name === '') throw new Error('must end in the name of the primary, as in /mymaster');
  if (kind !== 'sentinel' && second !== undefined) throw new Error('has too many parts in its path');
  if (!/^\d{0,5}$/.test(database)) throw new Error(`must end in the number of a database, not '${database}'`);
  if (kind === 'cluster' && database !== '' && database !== '0') throw new Error('cannot name a database of a cluster');
  return {
    kind,
    tls: scheme === 'rediss',
    nodes,
    ...parseCredentials(credentials),
    database: Number(database),
    primary: name === '' ? undefined : decoded(name),
  };
}

function parseNode(text: string, defaultPort: number) {
  const [, v6, name, port] = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s,]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = v6 ?? name;
  const number = port === undefined ? defaultPort : Number(port);
  if (host === undefined || number < 1 || number > 65_535) throw new Error(`'${text}' is no HOST:PORT`);
  return { host, port: number };
}

/** A user without a colon is a user; what stands behind a colon is the password, also without a user. */
function parseCredentials(text: string | undefined) {
  if (text === undefined) return { username: undefined, password: undefined };
  const colon = text.indexOf(':');
  const username = decoded(colon === -1 ? text : text.slice(0, colon));
  return { username: username || undefined, password: colon === -1 ? undefined : decoded(text.slice(colon + 1)) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('has a percent sign that begins no percent-encoding');
  }
}
