/** What went wrong with Postgres, by its SQLSTATE (PostgreSQL documentation, appendix A), which Bun has in `errno`. */
import { StoreError } from '../store-error.ts';

/** A deadlock, a lock that could not be had in time, a serialisation failure: the same call will work in a moment. */
const BUSY = new Set(['40P01', '40001', '55P03']);
/** read_only_sql_transaction: what we reach is a replica. */
const READ_ONLY = '25006';
/** Of the server: shutting down, starting up. */
const GOING_OR_COMING = /^57P0/;

function stateOf(error: unknown): string {
  const state = (error as { errno?: unknown } | null)?.errno;
  return typeof state === 'string' ? state : '';
}

/** Whether new connections may help: any error but those with which a server in good health answers a statement. */
export function isOfTheConnection(error: unknown): boolean {
  if (error instanceof StoreError) return false;
  const state = stateOf(error);
  return state === '' || state === READ_ONLY || GOING_OR_COMING.test(state) || state.startsWith('08');
}

export function toPostgresError(error: unknown, doing: string): StoreError {
  if (error instanceof StoreError) return error;
  const state = stateOf(error);
  const detail = error instanceof Error ? error.message : String(error);
  // 22: data, 23: integrity. Messages name constraints and types, and may quote a value: those of these two are left out.
  if (/^2[23]/.test(state))
    return new StoreError('rejected', `cannot ${doing}: ${nameOf(error)} (${state})`, { cause: error });
  return new StoreError(BUSY.has(state) ? 'busy' : 'unavailable', `cannot ${doing}: ${detail}`, { cause: error });
}

function nameOf(error: unknown): string {
  const constraint = (error as { constraint?: unknown }).constraint;
  return typeof constraint === 'string' && constraint !== '' ? `refused by ${constraint}` : 'refused';
}
