/** Changes the body on its way: takes out what only the gateway asked for, or masks a secret. */
export interface BodyFilter {
  /** @returns what may go on to the client now; null for nothing */
  push(bytes: Uint8Array): Uint8Array | null;
  /** The body has ended. @returns what was held back, or null */
  end(): Uint8Array | null;
  /** The body broke off, and what is held back is dropped. @returns whether the client has whole events only */
  drop(): boolean;
}
