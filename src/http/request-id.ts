/** The id that a request has in answers, log lines and records, and upstream. */
import { holdsKey } from '../keys/redact-keys.ts';

const LENGTH_MAX = 128;
const FORM = /^[A-Za-z0-9._-]+$/;

export interface HeaderReader {
  get(name: string): string | null;
}

/** The client's own id when it has the allowed form and is no key, else null. */
export function clientRequestId(headers: HeaderReader): string | null {
  const id = headers.get('x-request-id');
  return id !== null && id.length <= LENGTH_MAX && FORM.test(id) && !holdsKey(id) ? id : null;
}

/** The client's own id, or a new one. */
export function requestIdOf(headers: HeaderReader): string {
  return clientRequestId(headers) ?? crypto.randomUUID();
}
