/** HOST and PORT as others on this machine write them. */

/** http://HOST:PORT; of a gateway that listens everywhere, its address on loopback. */
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
