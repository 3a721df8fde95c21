/** The query parameters of GET /admin/api-keys. */
import type { KeyStatus } from '../keys/key.ts';
import { choiceFrom, integerFrom, onlyParameters } from './query.ts';

export const KEY_STATUSES: readonly KeyStatus[] = ['active', 'suspended', 'revoked'];
export const KEYS_MAX = 1_000;
export const KEYS_PARAMETERS = ['status', 'q', 'limit', 'after'] as const;

/** `after` is a key id. @throws GatewayError invalid_request, naming the parameter */
export function keysParametersFrom(url: string) {
  const query = onlyParameters(url, KEYS_PARAMETERS);
  const status = choiceFrom(query, 'status', KEY_STATUSES);
  const text = query.get('q');
  const limit = integerFrom(query, 'limit', 1, KEYS_MAX);
  const after = query.get('after');
  return { ...(status && { status }), ...(text && { text }), ...(limit && { limit }), ...(after && { after }) };
}
