/**
 * Idle connections to upstream, last in first out: the ones used last are the ones upstream is least likely to have
 * closed, and the rest may grow old and go. None lives for ever, and a new one looks up its host name anew: Bun asks DNS
 * again when its own answer is older than 30 s (BUN_CONFIG_DNS_TIME_TO_LIVE_SECONDS).
 */
import { ConnectAttempts } from './connect-attempts.ts';
import { Connection, type ConnectionOwner, type Endpoint } from './connection.ts';

export interface PoolOptions {
  readonly idleMax: number;
  /** Below the keep-alive of common servers (60 s and more), so that we close first. */
  readonly idleLimitMs: number;
  readonly ageMaxMs: number;
}

export class Pool implements ConnectionOwner {
  readonly attempts = new ConnectAttempts();
  readonly #idle: Connection[] = [];
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #closed = false;

  constructor(
    private readonly endpoint: Endpoint,
    private readonly options: PoolOptions,
  ) {}

  get idleCount(): number {
    return this.#idle.length;
  }

  /** An idle connection, or null when there is none that can be trusted. */
  takeIdle(nowMs: number): Connection | null {
    for (;;) {
      const connection = this.#idle.pop();
      if (!connection) return null;
      if (this.#fresh(connection, nowMs)) return connection;
      connection.destroy();
    }
  }

  connect(): Connection {
    return new Connection(this.endpoint, this);
  }

  released(connection: Connection): void {
    const nowMs = performance.now();
    const full = this.#closed || this.#idle.length >= this.options.idleMax;
    if (full || nowMs - connection.bornAtMs > this.options.ageMaxMs) {
      connection.destroy();
      return;
    }
    connection.idleSinceMs = nowMs;
    this.#idle.push(connection);
    this.#sweeper ??= this.#startSweeper();
  }

  closed(connection: Connection): void {
    // Usually it is not idle; when it is, upstream closed it, and those are the oldest.
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  /** From now on a connection ends with its exchange. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  #fresh(connection: Connection, nowMs: number): boolean {
    return (
      connection.usable &&
      nowMs - connection.idleSinceMs <= this.options.idleLimitMs &&
      nowMs - connection.bornAtMs <= this.options.ageMaxMs
    );
  }

  #startSweeper(): ReturnType<typeof setInterval> {
    const timer = setInterval(() => this.#sweep(performance.now()), this.options.idleLimitMs / 2);
    timer.unref();
    return timer;
  }

  #sweep(nowMs: number): void {
    const old = this.#idle.filter((connection) => !this.#fresh(connection, nowMs));
    for (const connection of old) connection.destroy();
    if (this.#idle.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
