/**
 * The connections to Postgres, as one thing that is asked and answers or fails in time.
 *
 * Guarantees: a question is answered or has failed when the statement timeout is over, also when the server is frozen or the
 * network is gone (Bun waits for ever); what failed because of the connection, or of a server that became read-only, is
 * followed by new connections, so that a restart or a failover behind the same address is found without a restart of ours.
 */
import type { SQL } from 'bun';
import type { PostgresOptions } from '../store.ts';
import { StoreError } from '../store-error.ts';
import { connectTo } from './connection.ts';
import { isOfTheConnection, toPostgresError } from './postgres-error.ts';

/** A query may queue behind others, and the server's own timeout is to come first: it names the reason. */
const DEADLINE_FACTOR = 2;
const CLOSE_MS = 2_000;

export class ConnectionPool {
  readonly #databaseUrl: string;
  readonly #options: PostgresOptions;
  #sql: SQL;
  #closed = false;

  /** @throws StoreError 'unusable' */
  constructor(databaseUrl: string, options: PostgresOptions) {
    this.#databaseUrl = databaseUrl;
    this.#options = options;
    this.#sql = connectTo(databaseUrl, options);
  }

  /** @throws StoreError */
  async ask<T>(doing: string, query: (sql: SQL) => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('unavailable', `cannot ${doing}: the database is closed`);
    const sql = this.#sql;
    try {
      return await this.#inTime(query(sql));
    } catch (error) {
      if (isOfTheConnection(error)) this.#replace(sql);
      throw toPostgresError(error, doing);
    }
  }

  /** One transaction. @throws StoreError */
  change<T>(doing: string, run: (tx: SQL) => Promise<T>): Promise<T> {
    return this.ask(doing, (sql) => sql.begin(run) as Promise<T>);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const closing = this.#sql.close({ timeout: 1 }).catch(() => {});
    // With a frozen server it never resolves.
    const { promise: tooLate, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_MS);
    await Promise.race([closing, tooLate]);
    clearTimeout(timer);
  }

  async #inTime<T>(answer: Promise<T>): Promise<T> {
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const { statementTimeoutMs, connectTimeoutMs } = this.#options;
    const deadlineMs = statementTimeoutMs * DEADLINE_FACTOR + connectTimeoutMs;
    const timer = setTimeout(() => reject(new NoAnswer(`no answer within ${deadlineMs} ms`)), deadlineMs);
    try {
      return await Promise.race([answer, tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Others may have met the same failure on the same connections. */
  #replace(failed: SQL): void {
    if (this.#sql !== failed || this.#closed) return;
    this.#sql = connectTo(this.#databaseUrl, this.#options);
    // Their promises end with it; it resolves when the server answers, or never.
    void failed.close({ timeout: 0 }).catch(() => {});
  }
}

class NoAnswer extends Error {
  readonly code = 'ERR_NO_ANSWER';
}
