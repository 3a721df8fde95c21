/**
 * Observes one client of autocannon: time to first byte, time between events, the age of each event when it arrived, and
 * whether every byte was right. autocannon itself measures whole answers only, and counts a truncated stream as a success.
 * Times count inside the measured window, faults always.
 */
import type { Client } from 'autocannon';
import { Reservoir } from '../../src/load/reservoir.ts';
import type { ExpectedAnswer } from './expected-answer.ts';
import { addFaults, type Faults, noFaults, StreamChecker } from './stream-checker.ts';
import { originNs } from './upstream-clock.ts';

/** Values kept of each figure. */
const VALUES_MAX = 50_000;

/** Of all clients of a run together. */
export class Observations {
  /** Whether the measured window is open; before it the target warms up. */
  open = false;
  readonly ttfbMs = new Reservoir(VALUES_MAX);
  readonly gapMs = new Reservoir(VALUES_MAX);
  readonly delayMs = new Reservoir(VALUES_MAX);
  readonly faults: Faults = noFaults();
  /** In the window. */
  events = 0;
  bytes = 0;
  /** Streams in the window: one of which half the events arrived counts as a half. */
  streams = 0;
  /** Answers that ended, warm-up included. */
  answers = 0;
  #jitterSumMs = 0;
  #jitterCount = 0;

  addJitter(ms: number): void {
    this.#jitterSumMs += ms;
    this.#jitterCount++;
  }

  /**
   * The mean of |time between two events as they arrived − as they were sent|: the D of RFC 3550, 6.4.1, without its smoothing.
   * Null when events carry no times.
   */
  get jitterMs(): number | null {
    return this.#jitterCount === 0 ? null : this.#jitterSumMs / this.#jitterCount;
  }
}

/** @param answers expected ones, in the order of the requests */
export function watchClient(client: Client, answers: readonly ExpectedAnswer[], seen: Observations): void {
  // Otherwise autocannon keeps every body as a string until the answer ends.
  client.pipelinedRequests.addBody = () => {};
  let asked = 0;
  let answer: AnswerWatch | null = null;

  client.on('request', () => {
    // autocannon retries on a new connection when the old one ended in the middle; its parser is still inside the old answer.
    if (answer !== null) abandon();
    else answer = new AnswerWatch(answers[asked % answers.length]!, seen, asked > 0);
    asked++;
  });
  client.on('body', (piece: Buffer) => answer?.piece(piece));
  client.on('response', (status: number) => {
    answer?.end(status);
    answer = null;
  });
  client.on('timeout', () => abandon());
  client.on('connError', () => abandon());

  function abandon(): void {
    if (answer !== null) seen.faults.broken++;
    answer = null;
    // Later: autocannon is using the client at this moment.
    setImmediate(() => client.destroy());
  }
}

class AnswerWatch {
  readonly #seen: Observations;
  readonly #checker: StreamChecker;
  readonly #share: number;
  readonly #sentMs = performance.now();
  /** The first request of a connection also waits for the connection. */
  readonly #timed: boolean;
  #nowMs = 0;
  #first = true;
  #lastMs = 0;
  #lastSentNs = -1;

  constructor(expected: ExpectedAnswer, seen: Observations, connected: boolean) {
    this.#seen = seen;
    this.#share = 1 / expected.events.length;
    this.#timed = connected && seen.open;
    this.#checker = new StreamChecker(expected, this.#event);
  }

  piece(piece: Buffer): void {
    this.#nowMs = performance.now();
    if (this.#first) {
      this.#first = false;
      if (this.#timed) this.#seen.ttfbMs.add(this.#nowMs - this.#sentMs);
    }
    if (this.#seen.open) this.#seen.bytes += piece.length;
    this.#checker.push(piece);
  }

  end(status: number): void {
    this.#nowMs = performance.now();
    addFaults(this.#seen.faults, this.#checker.end(status));
    this.#seen.answers++;
  }

  #event = (sentNs: number): void => {
    const seen = this.#seen;
    const nowMs = this.#nowMs;
    if (seen.open) {
      seen.events++;
      seen.streams += this.#share;
      if (this.#lastMs > 0) seen.gapMs.add(nowMs - this.#lastMs);
      if (sentNs >= 0) {
        seen.delayMs.add(nowMs - (sentNs - originNs) / 1e6);
        if (this.#lastSentNs >= 0) {
          seen.addJitter(Math.abs(nowMs - this.#lastMs - (sentNs - this.#lastSentNs) / 1e6));
        }
      }
    }
    this.#lastMs = nowMs;
    this.#lastSentNs = sentNs;
  };
}
