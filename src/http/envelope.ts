/** In which API's form a request is refused (contract, section 4). */
import type { Envelope } from '../errors.ts';
import { pathOf } from './route.ts';

/**
 * Anthropic's on every path under /v1/messages, and on those it shares with OpenAI's API when the request says so: its
 * clients always send `anthropic-version`.
 */
export function envelopeOf(request: Request): Envelope {
  const path = pathOf(request.url);
  if (isUnder('/v1/messages', path)) return 'anthropic';
  return isUnder('/v1/models', path) && request.headers.get('anthropic-version') !== null ? 'anthropic' : 'openai';
}

function isUnder(parent: string, path: string): boolean {
  return path === parent || path.startsWith(`${parent}/`);
}
