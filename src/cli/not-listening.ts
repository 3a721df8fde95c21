/** Why a gateway cannot listen, in words for the person who started it. */
import type { Config } from '../config/schema.ts';
import type { ListenError } from '../listen-error.ts';

/** Of a name that cannot be resolved Bun has many codes, so what is not about the port is about the host. */
export function whyNotListening({ host, port, metricsPort }: Config, { reason, option }: ListenError): string {
  const what = `${option} ${option === 'PORT' ? port : metricsPort} on ${host}`;
  if (reason === 'EADDRINUSE') return `${what} is in use`;
  if (reason === 'EACCES' || reason === 'EPERM') return `${what} needs privileges`;
  if (reason === 'EMFILE' || reason === 'ENFILE')
    return `cannot listen on ${host}: no file descriptor is left (${reason})`;
  return `HOST ${host} is no address of this machine, or no name of one (${reason})`;
}
