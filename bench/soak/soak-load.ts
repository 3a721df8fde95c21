/**
 * The load of the soak: requests that are due at a rate, whatever happens to those before them, on connections that are kept
 * and used again as clients do.
 */
import { ArrivalClock } from '../../src/load/arrival-clock.ts';
import { dueUs } from '../../src/load/arrivals.ts';
import { nowUs } from '../../src/load/clock.ts';
import { type ConnectionHost, LoadConnection } from '../../src/load/connection.ts';
import { OwnLoad } from '../../src/load/own-load.ts';
import { type LoadTarget, targetOf } from '../../src/load/target.ts';
import type { SoakKeys } from './keys.ts';
import type { ClientOutcome } from './outcome.ts';
import { planRequest } from './planned-request.ts';
import { SoakExchange } from './soak-exchange.ts';

/** Longer than any time limit of the gateway in the soak: whoever waits so long waits for nothing. */
const SILENCE_MAX_S = 45;
const SWEEP_MS = 500;
/** Beyond CLIENT_STALL_TIMEOUT_MS of the soak (set-up.ts). */
const STOPPED_MS = 12_000;

interface SoakLoadOptions {
  readonly url: string;
  readonly seed: number;
  readonly ratePerS: number;
  readonly durationS: number;
  readonly keys: SoakKeys;
}

export class SoakLoad implements ConnectionHost<SoakExchange> {
  readonly outcomes: ClientOutcome[] = [];
  readonly ownLoad = new OwnLoad();
  readonly #options: SoakLoadOptions;
  readonly #target: LoadTarget;
  readonly #clock: ArrivalClock;
  readonly #open = new Map<SoakExchange, LoadConnection<SoakExchange>>();
  readonly #idle: LoadConnection<SoakExchange>[] = [];
  readonly #lastOn = new WeakMap<LoadConnection<SoakExchange>, string>();
  readonly #done = Promise.withResolvers<void>();
  #number = 0;
  #arriving = true;

  constructor(options: SoakLoadOptions) {
    this.#options = options;
    this.#target = targetOf(options.url);
    const startUs = nowUs();
    this.#clock = new ArrivalClock({
      dueUs: (number) => dueUs({ kind: 'open', ratePerS: options.ratePerS, rampS: 1 }, number),
      startUs,
      endUs: startUs + options.durationS * 1e6,
      arrive: () => this.#arrive(),
      done: () => this.#arrivalsOver(),
      ownLoad: this.ownLoad,
    });
  }

  get openRequests(): number {
    return this.#open.size;
  }

  /** Resolves when the last request has its outcome. All connections are closed then. */
  async run(): Promise<void> {
    this.ownLoad.start();
    this.#clock.start();
    const sweep = setInterval(() => this.#sweep(), SWEEP_MS);
    await this.#done.promise;
    clearInterval(sweep);
    this.ownLoad.stop();
    for (const connection of [...this.#idle]) connection.interrupt();
  }

  active(): void {
    this.ownLoad.activity++;
  }

  slowPauseMs(exchange: SoakExchange): number {
    const { behaviour } = exchange.plan;
    if (behaviour.does === 'slow') return behaviour.pauseMs;
    if (exchange.hasStopped) return 0;
    exchange.hasStopped = true;
    return STOPPED_MS;
  }

  released(connection: LoadConnection<SoakExchange>): void {
    this.#idle.push(connection);
  }

  closed(connection: LoadConnection<SoakExchange>): void {
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /** Many clients would send it again; here it counts as what it was, a request without an answer. */
  retry(exchange: SoakExchange): void {
    exchange.ending = 'failed';
    this.finished(exchange);
  }

  finished(exchange: SoakExchange): void {
    const connection = this.#open.get(exchange);
    this.#open.delete(exchange);
    if (exchange.closes && connection?.usable) connection.interrupt();
    this.outcomes.push(exchange.outcome());
    if (!this.#arriving && this.#open.size === 0) this.#done.resolve();
  }

  #arrive(): void {
    const { seed, keys } = this.#options;
    const number = this.#number++;
    const toSend = planRequest(seed, number);
    const exchange = new SoakExchange(`soak-${seed}-${number}`, toSend, keys.credentialsFor(toSend.plan));
    exchange.progressUs = nowUs();
    exchange.begins();
    const kept = this.#idle.pop();
    const connection = kept ?? new LoadConnection<SoakExchange>(this);
    exchange.behind = this.#lastOn.get(connection) ?? null;
    this.#lastOn.set(connection, exchange.requestId);
    this.#open.set(exchange, connection);
    if (kept) kept.start(exchange);
    else connection.connect({ target: this.#target, insecure: false, ca: undefined }, exchange);
    this.#leaveInTime(exchange);
  }

  #leaveInTime(exchange: SoakExchange): void {
    const { behaviour } = exchange.plan;
    if (behaviour.does !== 'leave' || !('afterMs' in behaviour)) return;
    setTimeout(() => this.#open.get(exchange)?.interrupt(), behaviour.afterMs);
  }

  #arrivalsOver(): void {
    this.#arriving = false;
    if (this.#open.size === 0) this.#done.resolve();
  }

  #sweep(): void {
    const oldestUs = nowUs() - SILENCE_MAX_S * 1e6;
    for (const [exchange, connection] of [...this.#open]) {
      if (exchange.progressUs < oldestUs) connection.abort('unfinished', `no byte for ${SILENCE_MAX_S} s`);
    }
  }
}
