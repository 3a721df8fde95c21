/** Who may use the admin API: whoever knows ADMIN_API_KEY. Without one configured, nobody. */
import { timingSafeEqual } from 'node:crypto';
import { GatewayError } from '../errors.ts';
import { bearerToken } from '../keys/credentials.ts';

/** @throws GatewayError admin_disabled, invalid_api_key */
export type AdminGate = (headers: Headers) => void;

/**
 * Takes the key behind `Bearer` or alone. Compares digests: they have one length, and the time it takes does not depend
 * on how much of a guess is right.
 */
export function adminGate(adminApiKey: string | undefined): AdminGate {
  if (adminApiKey === undefined) {
    return () => {
      throw new GatewayError('admin_disabled', 'The admin API is disabled: ADMIN_API_KEY is not set');
    };
  }
  const expected = Bun.SHA256.hash(adminApiKey);
  return (headers) => {
    const authorization = headers.get('authorization') ?? '';
    const given = Bun.SHA256.hash(bearerToken(authorization) || authorization);
    if (!timingSafeEqual(given, expected)) throw new GatewayError('invalid_api_key', 'Invalid admin API key');
  };
}
