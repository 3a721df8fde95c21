/** Logs each change made through the admin API, and attempts with a wrong admin key. Never logs a secret. */
import { FailureReport } from '../observe/failure-report.ts';
import type { Log } from '../observe/log.ts';

export interface Caller {
  readonly requestId: string;
  /** The peer address; null when the connection is closed. */
  readonly address: string | null;
}

/** Old and new values by field name. */
export type FieldChanges = Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;

export class AuditLog {
  readonly #log: Log;
  /** Attacks make thousands of attempts: at most one line a second, with their number and the latest caller. */
  readonly #wrongKeys: FailureReport;

  constructor(log: Log) {
    this.#log = log;
    this.#wrongKeys = new FailureReport(({ count, error }) =>
      log.warn({ attempts: count, ...callerFields(error as Caller) }, 'wrong admin key'),
    );
  }

  changed(action: string, by: Caller, details: object): void {
    this.#log.info({ action, ...callerFields(by), ...details }, 'admin');
  }

  wrongKey(by: Caller): void {
    this.#wrongKeys.count(by);
  }
}

function callerFields({ requestId, address }: Caller) {
  return { request_id: requestId, address };
}
