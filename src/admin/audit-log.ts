/** Who did what through the admin API, and who tried with a wrong key. Never a secret. */
import { FailureReport } from '../observe/failure-report.ts';
import type { Log } from '../observe/log.ts';

export interface Caller {
  readonly requestId: string;
  /** Of the other end of the connection; null when it is gone. */
  readonly address: string | null;
}

/** By the names of fields. */
export type FieldChanges = Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;

export class AuditLog {
  readonly #log: Log;
  /** Guessing comes by the thousand: one line a second says how often, and who was the last. */
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
