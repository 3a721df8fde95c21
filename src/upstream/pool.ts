/**
 * Idle connections to upstream, last in first out: the ones used last are the ones upstream is least likely to have
 * closed, and the rest may grow old and go. None lives for ever, and a new one looks up its host name anew: Bun asks DNS
 * again when its own answer is older than 30 s (BUN_CONFIG_DNS_TIME_TO_LIVE_SECONDS).
 *
 * A connection is used again only when upstream has sent nothing on it since its last answer, neither a FIN nor a byte. A
 * request on one that is closing may or may not be read, and a byte behind an answer would be read as the next one.
 */
import { ConnectAttempts } from './connect-attempts.ts';
import { Connection, type ConnectionOwner } from './connection.ts';
import type { DialUpstream } from './dial.ts';

export interface PoolOptions {
  readonly idleMax: number;
  /** Below the keep-alive of common servers (60 s and more), so that we close first. */
  readonly idleLimitMs: number;
  readonly ageMaxMs: number;
}

/** How long a refused connection is tried again, where a request does not say otherwise. */
const REFUSED_FOR_MS = 1000;
/** An upstream that says how long it keeps an idle connection begins to close it about then. */
const CLOSE_BEFORE_UPSTREAM_MS = 1000;
/** Idle connections to close at a time when there are no file descriptors left for a new one. */
const SHED_AT_A_TIME = 8;

export class Pool implements ConnectionOwner {
  /** The one used last at the end. */
  readonly #idle: Connection[] = [];
  /** Their answers ended in this turn of the event loop: what upstream sent behind them has not been read yet. */
  #resting: Connection[] = [];
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #closed = false;
  readonly #afterThisTurn = () => this.#rested();

  constructor(
    private readonly dial: DialUpstream,
    private readonly options: PoolOptions,
    readonly attempts = new ConnectAttempts(),
  ) {}

  get idleCount(): number {
    return this.#idle.length + this.#resting.length;
  }

  /** An idle connection, or null when there is none that can be trusted. */
  takeIdle(nowMs: number): Connection | null {
    for (;;) {
      const connection = this.#idle.pop();
      if (!connection) return null;
      if (this.#isFresh(connection, nowMs) && connection.isQuiet) return connection;
      connection.destroy();
    }
  }

  /** @param refusedForMs how long a refused connection is tried again */
  connect(refusedForMs = REFUSED_FOR_MS): Connection {
    return new Connection(this.dial, this, refusedForMs);
  }

  released(connection: Connection): void {
    const nowMs = performance.now();
    const full = this.#closed || this.idleCount >= this.options.idleMax;
    if (full || nowMs - connection.bornAtMs > this.options.ageMaxMs) {
      connection.destroy();
      return;
    }
    connection.idleSinceMs = nowMs;
    if (this.#resting.push(connection) === 1) setImmediate(this.#afterThisTurn);
  }

  closed(connection: Connection): void {
    // Usually it is not idle; when it is, upstream closed it, and those are the oldest.
    const index = this.#idle.indexOf(connection);
    if (index !== -1) this.#idle.splice(index, 1);
  }

  shedIdle(): number {
    const shed = this.#idle.splice(0, SHED_AT_A_TIME);
    for (const connection of shed) connection.destroy();
    return shed.length;
  }

  /** From now on a connection ends with its exchange. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    for (const connection of this.#idle.splice(0)) connection.destroy();
    for (const connection of this.#resting.splice(0)) connection.destroy();
  }

  #rested(): void {
    const rested = this.#resting;
    this.#resting = [];
    for (const connection of rested) if (connection.usable) this.#idle.push(connection);
    if (this.#idle.length > 0) this.#sweeper ??= this.#startSweeper();
  }

  #isFresh(connection: Connection, nowMs: number): boolean {
    const idleMs = nowMs - connection.idleSinceMs;
    const { keptByUpstreamMs } = connection;
    return (
      connection.usable &&
      idleMs <= this.options.idleLimitMs &&
      idleMs < Math.max(keptByUpstreamMs / 2, keptByUpstreamMs - CLOSE_BEFORE_UPSTREAM_MS) &&
      nowMs - connection.bornAtMs <= this.options.ageMaxMs
    );
  }

  #startSweeper(): ReturnType<typeof setInterval> {
    const timer = setInterval(() => this.#sweep(performance.now()), this.options.idleLimitMs / 2);
    timer.unref();
    return timer;
  }

  #sweep(nowMs: number): void {
    const old = this.#idle.filter((connection) => !this.#isFresh(connection, nowMs));
    for (const connection of old) connection.destroy();
    if (this.#idle.length > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
  }
}
