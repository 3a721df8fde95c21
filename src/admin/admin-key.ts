/** Checks the admin key. Without a configured ADMIN_API_KEY the admin API is disabled. */
import { timingSafeEqual } from 'node:crypto';
import { GatewayError } from '../errors.ts';
import { bearerToken } from '../keys/credentials.ts';

export class AdminGate {
  readonly #expected: NodeJS.TypedArray | null;

  constructor(adminApiKey: string | undefined) {
    this.#expected = adminApiKey === undefined ? null : Bun.SHA256.hash(adminApiKey);
  }

  /**
   * Accepts the key with the scheme `Bearer` or without a scheme.
   * @throws GatewayError admin_disabled, invalid_api_key
   */
  check(authorization: string | null): void {
    if (this.#expected === null) {
      throw new GatewayError('admin_disabled', 'The admin API is disabled: ADMIN_API_KEY is not set');
    }
    const given = authorization ?? '';
    if (!this.accepts(bearerToken(given) || given)) {
      throw new GatewayError('invalid_api_key', 'Invalid admin API key');
    }
  }

  /** Compares digests of equal length, in a time that does not depend on how much of a guess is correct. */
  accepts(token: string): boolean {
    return this.#expected !== null && timingSafeEqual(Bun.SHA256.hash(token), this.#expected);
  }
}
