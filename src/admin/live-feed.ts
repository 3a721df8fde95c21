/**
 * GET /admin/live: server-sent events with a snapshot each second and the record of each request that ends.
 *
 * Guarantees: a request costs nothing while nobody looks, and its event is written once for all viewers. A viewer that reads
 * slowly holds a bounded amount; what has no room is not sent, and the viewer is told how many records that were.
 */

import type { Host } from '../cluster/host.ts';
import { GatewayError } from '../errors.ts';
import { type LivePart, type LiveWindow, totalsOf } from '../observe/live-window.ts';
import type { UsageRecord } from '../usage/usage-record.ts';
import { mergeTargets, type TargetJson } from './targets-json.ts';
import { usageRecordToJson } from './usage-report.ts';

interface LiveFeedOptions {
  readonly window: Pick<LiveWindow, 'part'>;
  /** Requests in flight; those of them that are streamed. */
  inFlight(): number;
  streams(): number;
  targets(): readonly TargetJson[];
  /** Other processes, whose requests are shown as well. */
  readonly host?: Pick<Host, 'collect' | 'watch' | 'sendRecords'> | undefined;
}

/** What one process has for a snapshot. */
interface LiveShare {
  readonly inFlight: number;
  readonly streams: number;
  readonly part: LivePart;
  readonly targets: readonly TargetJson[];
}

const SNAPSHOT_INTERVAL_MS = 1_000;
/** Records are sent together: a write for each would cost more than the record. */
const BATCH_INTERVAL_MS = 100;
const BATCH_CHARACTERS_MAX = 32 * 1024;
/** What a viewer that reads slowly may hold; a second of the busiest gateway is less. */
const QUEUED_BYTES_MAX = 256 * 1024;
const VIEWERS_MAX = 32;

export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #viewers = new Set<Viewer>();
  #batch = '';
  #batchRecords = 0;
  #batchTimer: ReturnType<typeof setTimeout> | undefined;
  #snapshotTimer: ReturnType<typeof setInterval> | undefined;
  #isClosed = false;
  /** A viewer of another process of the host wants our records. */
  #isWatchedElsewhere = false;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  record(record: UsageRecord): void {
    if (this.#viewers.size === 0 && !this.#isWatchedElsewhere) return;
    this.#batch += eventText('request', usageRecordToJson(record));
    this.#batchRecords++;
    if (this.#batch.length > BATCH_CHARACTERS_MAX) this.#sendBatch();
    else this.#batchTimer ??= setTimeout(() => this.#sendBatch(), BATCH_INTERVAL_MS).unref();
  }

  /** The answer to a new viewer. @throws GatewayError overloaded */
  open(): Response {
    if (this.#isClosed) throw new GatewayError('overloaded', 'The gateway is shutting down', { retryAfterS: 1 });
    if (this.#viewers.size >= VIEWERS_MAX)
      throw new GatewayError('overloaded', `${VIEWERS_MAX} live views are open already`, { retryAfterS: 5 });
    // What ended before is not for this one.
    this.#sendBatch();
    const viewer = new Viewer((gone) => this.#remove(gone));
    const body = new ReadableStream<Uint8Array>(
      viewer,
      new ByteLengthQueuingStrategy({ highWaterMark: QUEUED_BYTES_MAX }),
    );
    if (this.#viewers.size === 0) this.#options.host?.watch(true);
    this.#viewers.add(viewer);
    this.#snapshotTimer ??= setInterval(() => void this.#sendSnapshot(), SNAPSHOT_INTERVAL_MS).unref();
    void this.#sendSnapshot();
    // Proxies like nginx must not collect it.
    return new Response(body, { headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } });
  }

  /** Ends all views, so that a stop does not wait for them. */
  close(): void {
    this.#isClosed = true;
    this.#sendBatch();
    for (const viewer of this.#viewers) viewer.end();
    this.#viewers.clear();
    clearInterval(this.#snapshotTimer);
  }

  #remove(viewer: Viewer): void {
    this.#viewers.delete(viewer);
    if (this.#viewers.size > 0) return;
    this.#options.host?.watch(false);
    clearInterval(this.#snapshotTimer);
    this.#snapshotTimer = undefined;
    this.#sendBatch();
  }

  /** Of this process, for those who look at another. */
  share(): LiveShare {
    const { window, inFlight, streams, targets } = this.#options;
    return { inFlight: inFlight(), streams: streams(), part: window.part(), targets: targets() };
  }

  watchedElsewhere(isWatched: boolean): void {
    this.#isWatchedElsewhere = isWatched;
  }

  /** Events of another process. */
  receive(text: string, records: number): void {
    const bytes = Buffer.from(text);
    for (const viewer of this.#viewers) viewer.send(bytes, records);
  }

  async #sendSnapshot(): Promise<void> {
    const { host } = this.#options;
    const shares = host ? ((await host.collect('live')) as LiveShare[]) : [this.share()];
    const { requestsPerS, tokensPerS, ttfbMs, errors } = totalsOf(shares.map(({ part }) => part));
    const bytes = Buffer.from(
      eventText('snapshot', {
        at: new Date().toISOString(),
        in_flight: shares.reduce((sum, one) => sum + one.inFlight, 0),
        streams: shares.reduce((sum, one) => sum + one.streams, 0),
        requests_per_s: requestsPerS,
        tokens_per_s: tokensPerS,
        ttfb_ms: ttfbMs,
        errors,
        targets: mergeTargets(shares.map(({ targets }) => targets)),
      }),
    );
    for (const viewer of this.#viewers) viewer.send(bytes, 0);
  }

  #sendBatch(): void {
    clearTimeout(this.#batchTimer);
    this.#batchTimer = undefined;
    if (this.#batch === '') return;
    const bytes = Buffer.from(this.#batch);
    for (const viewer of this.#viewers) viewer.send(bytes, this.#batchRecords);
    if (this.#isWatchedElsewhere) this.#options.host?.sendRecords(this.#batch, this.#batchRecords);
    this.#batch = '';
    this.#batchRecords = 0;
  }
}

/** The source of one viewer's stream. */
class Viewer {
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Records that had no room and that it was not told of yet. */
  #dropped = 0;
  readonly #onGone: (viewer: Viewer) => void;

  constructor(onGone: (viewer: Viewer) => void) {
    this.#onGone = onGone;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
  }

  /** There is room. */
  pull(): void {
    this.#tellDropped();
  }

  cancel(): void {
    this.#onGone(this);
  }

  send(bytes: Uint8Array, records: number): void {
    const controller = this.#controller!;
    if (controller.desiredSize! <= 0) {
      this.#dropped += records;
      return;
    }
    this.#tellDropped();
    controller.enqueue(bytes);
  }

  end(): void {
    this.#controller!.close();
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return;
    this.#controller!.enqueue(Buffer.from(eventText('dropped', { count: this.#dropped })));
    this.#dropped = 0;
  }
}

function eventText(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
