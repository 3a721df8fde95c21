/**
 * The one error that leaves `store/`. Its kind tells callers what to do; the driver's own error is in `cause`.
 *
 * Messages name files and columns, never values: no key, hash or record ends up in a log through them.
 */

type StoreErrorKind =
  /** Another process holds the write lock: the same call will work in a moment. */
  | 'busy'
  /** Disk full, I/O error, connection closed: may heal without us, may not. */
  | 'unavailable'
  /** The database is fine and refuses this row (a constraint): trying again is pointless. */
  | 'rejected'
  /** The database cannot be used as configured: wrong path, not a database, made by a newer program. */
  | 'unusable';

export class StoreError extends Error {
  override readonly name = 'StoreError';

  constructor(
    readonly kind: StoreErrorKind,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** @param doing what was tried, e.g. 'insert usage'; a StoreError passes through unchanged */
export function toStoreError(error: unknown, doing: string): StoreError {
  if (error instanceof StoreError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new StoreError(kindOf(codeOf(error)), `cannot ${doing}: ${detail}`, { cause: error });
}

/** SQLite's extended result code, e.g. 'SQLITE_CONSTRAINT_UNIQUE', or a code of Node's file functions; '' without one. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}

function kindOf(code: string): StoreErrorKind {
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) return 'busy';
  if (code.startsWith('SQLITE_CONSTRAINT') || code === 'SQLITE_MISMATCH' || code === 'SQLITE_TOOBIG') return 'rejected';
  return 'unavailable';
}
