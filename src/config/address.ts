/** The address of a gateway as clients on the same machine use it. */

/** http://HOST:PORT, with the loopback address in place of a wildcard. */
export function localUrl(host: string, port: number | string): string {
  return `http://${bracketed(reachableHost(host))}:${port}`;
}

export function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' || host === '[::]' ? '::1' : host;
}

function bracketed(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host;
}
