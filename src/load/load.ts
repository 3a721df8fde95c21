/**
 * Runs one load test: starts a stream when it is due, gives it a connection, and ends when all streams have ended. An arrival
 * beyond the limit of open streams or connections is dropped and counted; an arrival never waits.
 */
import { ArrivalClock } from './arrival-clock.ts';
import { dueUs } from './arrivals.ts';
import { nowUs } from './clock.ts';
import { type ConnectionHost, LoadConnection } from './connection.ts';
import type { EventLayout } from './event-reader.ts';
import { OwnLoad } from './own-load.ts';
import type { LoadPlan } from './plan.ts';
import { randomFrom } from './statistics.ts';
import { type Behaviour, LoadStream } from './stream.ts';
import { Tally } from './tally.ts';

const SAMPLES_MAX = 6;
const SWEEP_MS_MAX = 100;
/** The wait of a closed loop after a failure: it doubles with each, or the loop would only measure how fast it can fail. */
const BACKOFF_MS_MIN = 10;
const BACKOFF_MS_MAX = 1_000;

export class Load implements ConnectionHost<LoadStream> {
  readonly ownLoad = new OwnLoad();
  readonly tally: Tally;
  /** The first few measured streams, for the plot of events over time. */
  readonly samples: LoadStream[] = [];
  readonly startedAt = new Date();
  readonly startUs: number;
  /** When the last arrival is due. */
  readonly endUs: number;
  /** When the last stream ended. */
  finishedUs = 0;
  interrupted = false;
  readonly #layout: EventLayout = { numberOffset: -1 };
  readonly #random: () => number;
  readonly #clock: ArrivalClock;
  readonly #open = new Map<LoadStream, LoadConnection<LoadStream>>();
  readonly #connections = new Set<LoadConnection<LoadStream>>();
  readonly #idle: LoadConnection<LoadStream>[] = [];
  readonly #delayed = new Set<ReturnType<typeof setTimeout>>();
  readonly #done = Promise.withResolvers<void>();
  #backoffMs = BACKOFF_MS_MIN;
  #arriving = true;
  #over = false;

  constructor(readonly plan: LoadPlan) {
    const { arrivals, durationS, warmupS, expectEvents } = plan;
    this.startUs = nowUs();
    const measuredUs = this.startUs + warmupS * 1e6;
    this.endUs = measuredUs + durationS * 1e6;
    this.#random = randomFrom(plan.seed);
    this.tally = new Tally({
      startUs: measuredUs,
      endUs: this.endUs,
      closedLoop: arrivals.kind === 'closed',
      expectEvents,
    });
    this.#clock = new ArrivalClock({
      dueUs: (number) => dueUs(arrivals, number),
      startUs: this.startUs,
      endUs: this.endUs,
      arrive: (scheduledUs) => this.#arrive(scheduledUs),
      done: () => this.#arrivalsOver(),
      ownLoad: this.ownLoad,
    });
  }

  /** Resolves when the last stream has ended, at the latest after the drain. */
  async run(): Promise<void> {
    const { warmupS, timeoutS } = this.plan;
    this.ownLoad.start();
    const sweep = setInterval(() => this.#sweep(), Math.min(SWEEP_MS_MAX, timeoutS * 250));
    const warm = setTimeout(() => this.ownLoad.restart(), warmupS * 1000);
    this.#clock.start();
    await this.#done.promise;
    clearInterval(sweep);
    clearTimeout(warm);
    this.ownLoad.stop();
    for (const connection of [...this.#connections]) connection.interrupt();
  }

  /** Ends the run now; open streams count neither as complete nor as failed. */
  interrupt(): void {
    this.interrupted = true;
    this.#stopArrivals();
    for (const connection of [...this.#open.values()]) connection.interrupt();
    this.#finishWhenEmpty();
  }

  get openStreams(): number {
    return this.#open.size;
  }

  active(): void {
    this.ownLoad.activity++;
  }

  slowPauseMs(): number {
    return this.#arriving ? this.plan.slowPauseMs : 0;
  }

  released(connection: LoadConnection<LoadStream>): void {
    this.#idle.push(connection);
  }

  closed(connection: LoadConnection<LoadStream>): void {
    this.#connections.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  retry(stream: LoadStream): void {
    this.tally.retries++;
    this.#connect(stream);
  }

  finished(stream: LoadStream): void {
    stream.endUs = nowUs();
    this.finishedUs = stream.endUs;
    this.#open.delete(stream);
    const { recorder, requests, target } = this.plan;
    this.tally.finish(stream, stream.failure && requests.redact(stream.failure.message));
    recorder?.end(stream, requests, target);
    if (this.#arriving && this.plan.arrivals.kind === 'closed') this.#refill(stream);
    this.#finishWhenEmpty();
  }

  #arrive(scheduledUs: number): void {
    const { streamsMax, connectionsMax } = this.plan;
    const reusable = this.#idle.length > 0;
    if (this.#open.size >= streamsMax || (!reusable && this.#connections.size >= connectionsMax)) {
      this.tally.drop(scheduledUs);
      return;
    }
    const startedUs = nowUs();
    const stream = this.#newStream(scheduledUs, startedUs);
    this.tally.start(scheduledUs, startedUs);
    const connection = this.#idle.pop();
    if (!connection) {
      this.#connect(stream);
      return;
    }
    this.#open.set(stream, connection);
    connection.start(stream);
  }

  #newStream(scheduledUs: number, startedUs: number): LoadStream {
    const { plan, tally } = this;
    const measured = tally.measures(scheduledUs);
    const behaviour = this.#behaviour();
    const sampled = measured && this.samples.length < SAMPLES_MAX;
    const stream = new LoadStream(
      {
        scheduledUs,
        measured,
        behaviour,
        eventsMax: Math.max(1, Math.floor(tally.typicalEvents / 2)),
        request: plan.requests.next(),
        layout: this.#layout,
        hashed: plan.expectSame,
        onGap: measured && behaviour !== 'slow' ? tally.gap : undefined,
        sampled,
        recording: behaviour === 'read' ? plan.recorder?.begin() : undefined,
      },
      startedUs,
    );
    if (sampled) this.samples.push(stream);
    return stream;
  }

  #behaviour(): Behaviour {
    const { slowReaders, abandon } = this.plan;
    if (slowReaders === 0 && abandon === 0) return 'read';
    const drawn = this.#random();
    if (drawn < slowReaders) return 'slow';
    return drawn < slowReaders + abandon ? 'abandon' : 'read';
  }

  #connect(stream: LoadStream): void {
    const connection = new LoadConnection<LoadStream>(this);
    this.#connections.add(connection);
    this.#open.set(stream, connection);
    connection.connect(this.plan, stream);
  }

  /** Starts the next stream of a closed loop in the slot of this one. */
  #refill(stream: LoadStream): void {
    if (stream.ending !== 'failed') {
      this.#backoffMs = BACKOFF_MS_MIN;
      // Not inside the callback of the socket that the next stream may use.
      queueMicrotask(() => this.#next());
      return;
    }
    const timer = setTimeout(() => {
      this.#delayed.delete(timer);
      this.#next();
    }, this.#backoffMs);
    this.#delayed.add(timer);
    this.#backoffMs = Math.min(BACKOFF_MS_MAX, this.#backoffMs * 2);
  }

  #next(): void {
    const atUs = nowUs();
    if (this.#arriving && atUs < this.endUs) this.#arrive(atUs);
    else this.#finishWhenEmpty();
  }

  #arrivalsOver(): void {
    // A closed loop has no further arrivals once its slots have started.
    const leftMs = Math.max(0, this.endUs - nowUs()) / 1000;
    if (this.plan.arrivals.kind === 'closed' && leftMs > 0) this.#later(() => this.#drain(), leftMs);
    else this.#drain();
  }

  #drain(): void {
    this.#stopArrivals();
    this.#later(() => {
      for (const connection of [...this.#open.values()]) {
        connection.abort('unfinished', `still open ${this.plan.drainS} s after the last arrival`);
      }
    }, this.plan.drainS * 1000);
    this.#finishWhenEmpty();
  }

  #stopArrivals(): void {
    this.#arriving = false;
    this.#clock.stop();
    for (const timer of this.#delayed) clearTimeout(timer);
    this.#delayed.clear();
  }

  #later(run: () => void, waitMs: number): void {
    const timer = setTimeout(() => {
      this.#delayed.delete(timer);
      run();
    }, waitMs);
    this.#delayed.add(timer);
  }

  #finishWhenEmpty(): void {
    if (this.#arriving || this.#over || this.#open.size > 0) return;
    this.#over = true;
    for (const timer of this.#delayed) clearTimeout(timer);
    this.#done.resolve();
  }

  /** One timer for all timeouts. */
  #sweep(): void {
    const { timeoutS } = this.plan;
    const oldestUs = nowUs() - timeoutS * 1e6;
    for (const [stream, connection] of [...this.#open]) {
      if (stream.progressUs > oldestUs) continue;
      if (stream.attempts === 0) connection.abort('connect', `no connection within ${timeoutS} s`);
      else connection.abort('timeout', `no byte for ${timeoutS} s`);
    }
  }
}
