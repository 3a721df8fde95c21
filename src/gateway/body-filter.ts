/** Changes the body on its way: takes out what only the gateway asked for, masks a secret, or writes an answer anew. */
export interface BodyFilter {
  /** @returns what may go on to the client now; null for nothing */
  push(bytes: Uint8Array): Uint8Array | null;
  /** The body has ended. @returns what was held back, or null */
  end(): Uint8Array | null;
  /** The body has ended and is not what it should be: there is nothing to pass. Asked before `end`. */
  readonly isInvalid?: boolean;
  /** Nothing is held back, and the client has whole events only. Not known: no. */
  readonly atEventBoundary?: boolean;
  /** The body broke off, and what is held back is dropped. @returns whether the client has whole events only */
  drop(): boolean;
}
