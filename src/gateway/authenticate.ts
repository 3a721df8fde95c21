/** Identifies the key of a request from its headers, and checks that it may use the endpoint (contract, section 3). */
import { GatewayError } from '../errors.ts';
import { readCredentials } from '../keys/credentials.ts';
import type { EndpointGroup } from '../keys/fields.ts';
import type { ApiKey } from '../keys/key.ts';
import type { KeyAnswer, KeyDirectory } from '../keys/key-cache.ts';

/**
 * Returns the key if it is valid now; a promise only when the key cache must read the store.
 * @throws GatewayError, or rejects with it: missing_api_key, invalid_api_key, api_key_suspended, _revoked, _expired,
 *   overloaded when the store cannot be asked
 */
export function authenticate(request: Request, keys: KeyDirectory): ApiKey | Promise<ApiKey> {
  const credentials = readCredentials(request.headers);
  if (credentials.kind === 'missing') throw new GatewayError('missing_api_key', 'Missing API key');
  if (credentials.kind === 'invalid') throw new GatewayError('invalid_api_key', 'Invalid API key');
  const answer = keys.lookup(credentials.key);
  return answer instanceof Promise ? answer.then(activeKey) : activeKey(answer);
}

/** @throws GatewayError endpoint_not_allowed */
export function checkEndpoint(key: ApiKey, group: EndpointGroup): void {
  if (key.allowedEndpoints === null || key.allowedEndpoints.includes(group)) return;
  throw new GatewayError('endpoint_not_allowed', 'This API key may not use this endpoint');
}

function activeKey(answer: KeyAnswer): ApiKey {
  switch (answer.kind) {
    case 'active':
      return answer.key;
    case 'unknown':
      throw new GatewayError('invalid_api_key', 'Invalid API key');
    case 'unavailable':
      throw new GatewayError('overloaded', 'API keys cannot be checked at the moment, try again', {
        retryAfterS: 1,
        reason: 'store',
      });
    default:
      throw new GatewayError(`api_key_${answer.kind}`, `API key is ${answer.kind}`);
  }
}
