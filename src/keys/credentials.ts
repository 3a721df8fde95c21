/**
 * Reads the secret of a request from its headers. The query string is never read: it ends up in logs.
 *
 * `Authorization` takes precedence; `x-api-key`, the header of Anthropic's clients, counts only without it: a request must not
 * pass by one header after the other was refused. An empty header counts as absent, because clients with an unset variable
 * send one. "Bearer" without a token is not empty: the client meant to send a key.
 */
import { isKeyForm } from './key.ts';

interface HeaderReader {
  get(name: string): string | null;
}

export type Credentials =
  | { readonly kind: 'missing' }
  /** Wrong scheme, or nothing that could be one of our keys. */
  | { readonly kind: 'invalid' }
  | { readonly kind: 'key'; readonly key: string };

export function readCredentials(headers: HeaderReader): Credentials {
  const authorization = headers.get('authorization');
  if (authorization) return keyOrInvalid(bearerToken(authorization));
  const apiKey = headers.get('x-api-key');
  return apiKey ? keyOrInvalid(apiKey) : MISSING;
}

/** What follows `Bearer` (in any case) and at least one space; '' for anything else. Tabs are no spaces (RFC 9110, 11.4). */
export function bearerToken(authorization: string): string {
  const scheme = authorization.slice(0, SCHEME.length);
  if (scheme.toLowerCase() !== SCHEME) return '';
  let start = SCHEME.length;
  while (authorization.charCodeAt(start) === SPACE) start++;
  return start === SCHEME.length ? '' : authorization.slice(start);
}

const SCHEME = 'bearer';
const SPACE = 0x20;
const MISSING: Credentials = { kind: 'missing' };
const INVALID: Credentials = { kind: 'invalid' };

function keyOrInvalid(text: string): Credentials {
  return isKeyForm(text) ? { kind: 'key', key: text } : INVALID;
}
