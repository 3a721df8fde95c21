/**
 * Counts what the streams of a run did. Owns the definitions of the figures:
 * - time to first byte: from when a stream was due to the first byte of the body of a 2xx event stream; first event: to the
 *   read that completed its first event. Streams that failed before that count as errors only.
 * - gap: the time between two events of a stream; events of the same read have gap 0. Jitter: how much a gap differs from the
 *   previous one. `[DONE]` is no event. Slow readers are excluded from both: they would measure the reader.
 * - rates: in an open loop the complete streams (their events, bytes, tokens) that arrived in the measured time, per second;
 *   in a closed loop each complete stream counts with the share of its time inside the measured time.
 */
import type { ErrorKind } from './connection.ts';
import { Reservoir } from './reservoir.ts';
import type { LoadStream } from './stream.ts';

export interface SecondTally {
  started: number;
  completed: number;
  failed: number;
  dropped: number;
  events: number;
}

interface Rates {
  streams: number;
  events: number;
  bytes: number;
  tokens: number;
}

interface TallyOptions {
  /** On the clock of nowUs; streams due before are warm-up. */
  readonly startUs: number;
  readonly endUs: number;
  readonly closedLoop: boolean;
  readonly expectEvents: number | undefined;
}

const EXAMPLE_CHARS_MAX = 300;
const SECONDS_MAX = 86_400;
const HASHES_MAX = 10_000;

export class Tally {
  readonly ttfbUs = new Reservoir();
  readonly firstEventUs = new Reservoir();
  readonly gapUs = new Reservoir();
  readonly jitterUs = new Reservoir();
  readonly totalUs = new Reservoir();
  /** From when a stream was due to when it was started: the lateness of the harness itself. */
  readonly arrivalLagUs = new Reservoir();
  readonly errors = new Map<ErrorKind, { count: number; readonly example: string }>();
  readonly order = { checkedStreams: 0, badStreams: 0, reordered: 0, dropped: 0, duplicated: 0, endsChecked: 0 };
  readonly hashes = new Map<string, number>();
  readonly seconds: SecondTally[] = [];
  /** Of complete streams, in a closed loop their share: the numerators of the rates. */
  readonly counted: Rates = { streams: 0, events: 0, bytes: 0, tokens: 0 };
  started = 0;
  completed = 0;
  failed = 0;
  abandoned = 0;
  interrupted = 0;
  dropped = 0;
  truncated = 0;
  slow = 0;
  retries = 0;
  /** Complete streams with usage, and those without. */
  usageStreams = 0;
  eventStreams = 0;
  /** Events of the last complete stream: half of them is half-way. */
  typicalEvents = 0;
  readonly #options: TallyOptions;

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  measures(scheduledUs: number): boolean {
    return scheduledUs >= this.#options.startUs;
  }

  start(scheduledUs: number, startedUs: number): void {
    if (!this.measures(scheduledUs)) return;
    this.started++;
    this.arrivalLagUs.add(startedUs - scheduledUs);
    this.#second(startedUs).started++;
  }

  drop(scheduledUs: number): void {
    if (!this.measures(scheduledUs)) return;
    this.dropped++;
    this.#second(scheduledUs).dropped++;
  }

  gap = (gapUs: number, jitterUs: number | undefined): void => {
    this.gapUs.add(gapUs);
    if (jitterUs !== undefined) this.jitterUs.add(jitterUs);
  };

  /** @param message of its failure, without secrets */
  finish(stream: LoadStream, message: string | undefined): void {
    if (stream.ending === 'complete') {
      this.typicalEvents = stream.events.events;
      this.#count(stream);
    }
    if (!stream.options.measured) return;
    if (stream.options.behaviour === 'slow') this.slow++;
    const { scheduledUs } = stream.options;
    if (stream.firstByteUs > 0) this.ttfbUs.add(stream.firstByteUs - scheduledUs);
    if (stream.firstEventUs > 0) this.firstEventUs.add(stream.firstEventUs - scheduledUs);
    const second = this.#second(stream.endUs);
    second.events += stream.events.events;
    if (stream.truncated) this.truncated++;
    if (stream.ending === 'complete') {
      this.completed++;
      second.completed++;
      this.#complete(stream);
    } else if (stream.ending === 'failed') {
      this.failed++;
      second.failed++;
      this.#error(stream.failure?.kind ?? 'reset', message ?? '');
    } else if (stream.ending === 'abandoned') this.abandoned++;
    else this.interrupted++;
    this.#order(stream);
  }

  #complete(stream: LoadStream): void {
    const { events, endUs, options } = stream;
    this.totalUs.add(endUs - options.scheduledUs);
    if (events.usageTokens === undefined) this.eventStreams++;
    else this.usageStreams++;
    const hash = stream.hash();
    if (hash !== undefined && (this.hashes.has(hash) || this.hashes.size < HASHES_MAX)) {
      this.hashes.set(hash, (this.hashes.get(hash) ?? 0) + 1);
    }
  }

  #count({ events, bytes, endUs, options: { scheduledUs, measured } }: LoadStream): void {
    let part = measured ? 1 : 0;
    if (this.#options.closedLoop) {
      const from = Math.max(scheduledUs, this.#options.startUs);
      const to = Math.min(endUs, this.#options.endUs);
      part = Math.max(0, to - from) / Math.max(1, endUs - scheduledUs);
    }
    this.counted.streams += part;
    this.counted.events += part * events.events;
    this.counted.bytes += part * bytes;
    this.counted.tokens += part * (events.usageTokens ?? events.contentEvents);
  }

  #error(kind: ErrorKind, message: string): void {
    const known = this.errors.get(kind);
    if (known) known.count++;
    else this.errors.set(kind, { count: 1, example: message.slice(0, EXAMPLE_CHARS_MAX) });
  }

  #order(stream: LoadStream): void {
    const { sequence, contentEvents, usageTokens } = stream.events;
    const whole = stream.sawTerminal;
    const { expectEvents } = this.#options;
    let dropped = 0;
    let duplicated = 0;
    let reordered = 0;
    if (sequence) {
      // When the end is missing, `truncated` reports what is missing with it.
      const expected = whole ? (expectEvents ?? usageTokens) : undefined;
      if (expected !== undefined) this.order.endsChecked++;
      dropped = sequence.dropped(expected);
      duplicated = sequence.duplicated + sequence.surplus(expected);
      reordered = sequence.reordered;
    } else if (expectEvents !== undefined && whole) {
      this.order.endsChecked++;
      dropped = Math.max(0, expectEvents - contentEvents);
      duplicated = Math.max(0, contentEvents - expectEvents);
    } else return;
    this.order.checkedStreams++;
    if (dropped + duplicated + reordered > 0) this.order.badStreams++;
    this.order.dropped += dropped;
    this.order.duplicated += duplicated;
    this.order.reordered += reordered;
  }

  #second(atUs: number): SecondTally {
    const number = Math.min(SECONDS_MAX, Math.max(0, Math.floor((atUs - this.#options.startUs) / 1e6)));
    while (this.seconds.length <= number) {
      this.seconds.push({ started: 0, completed: 0, failed: 0, dropped: 0, events: 0 });
    }
    return this.seconds[number]!;
  }
}
