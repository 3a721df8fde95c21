/**
 * Which HTTP proxy stands before an upstream: HTTPS_PROXY, HTTP_PROXY and NO_PROXY as curl reads them, lower case first.
 * The proxy is asked for a tunnel (CONNECT), for http:// upstreams as well.
 */
import { BlockList, isIP } from 'node:net';
import { canBridgeTls } from './tls-bridge.ts';

/** The variables as they are set; values may hold credentials. */
export interface ProxyVariables {
  readonly httpProxy: string | undefined;
  readonly httpsProxy: string | undefined;
  readonly noProxy: string | undefined;
}

/** None is set. */
export const DIRECT: ProxyVariables = { httpProxy: undefined, httpsProxy: undefined, noProxy: undefined };

export interface HttpProxy {
  readonly hostname: string;
  readonly port: number;
  /** It is spoken to over TLS. */
  readonly secure: boolean;
  /** The value of Proxy-Authorization; never logged. */
  readonly authorization: string | null;
}

/**
 * @returns null when upstream is reached directly
 * @throws Error that names the variable and never its value
 */
export function proxyFor(upstream: URL, variables: ProxyVariables): HttpProxy | null {
  const secure = upstream.protocol === 'https:';
  const [name, value] = secure ? ['HTTPS_PROXY', variables.httpsProxy] : ['HTTP_PROXY', variables.httpProxy];
  if (!value || isExempt(upstream, variables.noProxy ?? '')) return null;
  const proxy = parseProxy(name, value);
  if (proxy.secure && secure && !canBridgeTls())
    throw new Error(`${name} must be an http:// URL on this system: TLS through an https proxy needs Linux`);
  return proxy;
}

/** Of a URL's host, without the brackets of an IPv6 address. */
export function hostnameOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

export function portOf(url: URL): number {
  return Number(url.port) || (url.protocol === 'https:' ? 443 : 80);
}

function parseProxy(name: string, value: string): HttpProxy {
  const url = URL.parse(value.includes('://') ? value : `http://${value}`);
  if (!url?.hostname) throw new Error(`${name} must be a URL, such as http://proxy:3128`);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Error(`${name} must be an http:// or https:// URL: no other kind of proxy is supported`);
  return {
    hostname: hostnameOf(url),
    port: portOf(url),
    secure: url.protocol === 'https:',
    authorization: url.username || url.password ? basicCredentials(name, url) : null,
  };
}

function basicCredentials(name: string, { username, password }: URL): string {
  try {
    return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
  } catch {
    throw new Error(`${name} has a user name or password with a bad %-escape`);
  }
}

/**
 * Entries are separated by commas or blanks: `*`, a host name (which includes its subdomains, with or without a leading
 * dot or `*.`), an address, or a range of addresses (10.0.0.0/8); each but a range may have a port.
 */
function isExempt(upstream: URL, noProxy: string): boolean {
  const hostname = withoutLastDot(hostnameOf(upstream).toLowerCase());
  const port = portOf(upstream);
  return noProxy
    .toLowerCase()
    .split(/[\s,]+/)
    .some((entry) => entry !== '' && matches(entry, hostname, port));
}

function matches(entry: string, hostname: string, port: number): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInRange(entry, hostname);
  const { host, port: entryPort } = splitPort(entry);
  if (entryPort !== null && entryPort !== port) return false;
  if (isIP(hostname) !== 0 || isIP(host) !== 0) return isSameAddress(host, hostname);
  const name = withoutLastDot(host.replace(/^\*?\./, ''));
  return name !== '' && (hostname === name || hostname.endsWith(`.${name}`));
}

/** An IPv6 address has a port only in brackets. */
function splitPort(entry: string): { host: string; port: number | null } {
  const bracketed = /^\[(.*)\](?::(\d+))?$/.exec(entry);
  const parts = bracketed ?? (isIP(entry) === 6 ? null : /^(.*?)(?::(\d+))?$/.exec(entry));
  if (!parts) return { host: entry, port: null };
  return { host: parts[1]!, port: parts[2] === undefined ? null : Number(parts[2]) };
}

function isInRange(entry: string, hostname: string): boolean {
  const [network = '', bits = ''] = entry.replace(/^\[(.*)\]/, '$1').split('/');
  const version = isIP(network);
  if (version === 0 || isIP(hostname) !== version || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (version === 4 ? 32 : 128)) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const range = new BlockList();
  range.addSubnet(network, Number(bits), family);
  return range.check(hostname, family);
}

function isSameAddress(entry: string, hostname: string): boolean {
  const version = isIP(entry);
  if (version === 0 || isIP(hostname) !== version) return false;
  return isInRange(`${entry}/${version === 4 ? 32 : 128}`, hostname);
}

function withoutLastDot(name: string): string {
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
