/** The query parameters of GET /admin/api-keys. */
import type { KeyStatus } from '../keys/key.ts';
import { choiceFrom, integerFrom, onlyParameters } from './query.ts';

const STATUSES: readonly KeyStatus[] = ['active', 'suspended', 'revoked'];
const LIMIT_MAX = 1_000;

/** `after` is a key id. @throws GatewayError invalid_request, naming the parameter */
export function keysParametersFrom(url: string) {
  const query = onlyParameters(url, ['status', 'q', 'limit', 'after']);
  const status = choiceFrom(query, 'status', STATUSES);
  const text = query.get('q');
  const limit = integerFrom(query, 'limit', 1, LIMIT_MAX);
  const after = query.get('after');
  return { ...(status && { status }), ...(text && { text }), ...(limit && { limit }), ...(after && { after }) };
}
