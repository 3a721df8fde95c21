/**
 * One stream of the load, from the time it was due to how it ended. Times are microseconds on the clock of nowUs; latency
 * counts from `scheduledUs`, however late the request was sent.
 */
import type { ResponseHead } from '../upstream/http1-head.ts';
import type { Carried, ErrorKind, Failure, StreamEnding } from './connection.ts';
import { type EventLayout, EventReader } from './event-reader.ts';
import type { StreamRecording } from './stream-recording.ts';

/** What the client does: reads as fast as it can, pauses after every read, or disconnects half-way. */
export type Behaviour = 'read' | 'slow' | 'abandon';

interface StreamOptions {
  readonly scheduledUs: number;
  /** False during the warm-up. */
  readonly measured: boolean;
  readonly behaviour: Behaviour;
  /** For `abandon`: disconnects after this many events. */
  readonly eventsMax: number;
  readonly request: Buffer;
  readonly layout: EventLayout;
  readonly hashed: boolean;
  /** Called for every event but the first: the time since the previous one, and how much that differs from the last gap. */
  readonly onGap: ((gapUs: number, jitterUs: number | undefined) => void) | undefined;
  /** Keeps the time of each event, for a plot. */
  readonly sampled: boolean;
  readonly recording: StreamRecording | undefined;
}

const SAMPLED_EVENTS_MAX = 2_000;
const ERROR_BODY_BYTES_MAX = 4_096;

export class LoadStream implements Carried {
  readonly bodiless = false;
  sentUs = 0;
  headUs = 0;
  /** When the first byte of the body of a 2xx answer came. */
  firstByteUs = 0;
  firstEventUs = 0;
  endUs = 0;
  progressUs: number;
  bytes = 0;
  attempts = 0;
  status = 0;
  ending: StreamEnding | undefined;
  failure: Failure | undefined;
  /** Half-way reached: the connection is to be closed. */
  abandoned = false;
  readonly eventTimesUs: number[] | undefined;
  readonly events: EventReader;
  readonly #hash: Bun.CryptoHasher | undefined;
  #lastEventUs = 0;
  #lastGapUs = -1;
  #atUs = 0;
  #errorBody: Buffer[] | undefined;
  #errorBytes = 0;

  constructor(
    readonly options: StreamOptions,
    startedUs: number,
  ) {
    this.progressUs = startedUs;
    this.events = new EventReader(options.layout, this.#onEvent);
    this.eventTimesUs = options.sampled ? [] : undefined;
    this.#hash = options.hashed ? new Bun.CryptoHasher('sha256') : undefined;
  }

  get request(): Buffer {
    return this.options.request;
  }

  get readsSlowly(): boolean {
    return this.options.behaviour === 'slow';
  }

  arrivedAt(atUs: number): void {
    this.#atUs = atUs;
    this.progressUs = atUs;
  }

  head(head: ResponseHead): void {
    this.headUs = this.#atUs;
    this.status = head.status;
    if (head.status < 200 || head.status > 299) {
      this.#errorBody = [];
      return;
    }
    const contentType = (head.headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase();
    const encoding = head.headers.get('content-encoding')?.toLowerCase() ?? 'identity';
    if (contentType !== 'text/event-stream') {
      this.fail('not_sse', `the answer is ${contentType || 'of no stated type'}, not text/event-stream`);
    } else if (encoding !== 'identity') {
      this.fail('not_sse', `the answer is compressed (${encoding}), although that was not accepted`);
    }
  }

  /** The bytes are valid during the call only. */
  data(bytes: Uint8Array): void {
    if (this.failure || this.abandoned) return;
    if (this.#errorBody) {
      if (this.#errorBytes < ERROR_BODY_BYTES_MAX) this.#errorBody.push(Buffer.from(bytes));
      this.#errorBytes += bytes.length;
      return;
    }
    if (this.firstByteUs === 0) this.firstByteUs = this.#atUs;
    this.bytes += bytes.length;
    this.#hash?.update(bytes);
    this.options.recording?.add(this.#atUs, bytes);
    this.events.push(bytes, this.#atUs);
  }

  /** Only the first failure counts. */
  fail(kind: ErrorKind, message: string): void {
    this.failure ??= { kind, message };
  }

  /** The answer is complete. */
  answered(): void {
    if (this.#errorBody) {
      this.fail(`http_${this.status}`, `${this.status} ${errorText(Buffer.concat(this.#errorBody))}`.trimEnd());
    } else this.#judge('the answer ended without [DONE] or another terminal event');
  }

  /** The connection ended in the middle of the answer, without an error. */
  cutOff(): void {
    if (this.headUs === 0) this.fail('reset', 'the connection was closed before the head of an answer');
    else if (this.#errorBody) this.answered();
    else this.#judge('the connection was closed in the middle of the answer');
    // All events came; only the end of the HTTP body is missing.
    this.fail('framing', 'the connection was closed before the end of the body');
  }

  /** An event stream that started and failed without its terminal event. */
  get truncated(): boolean {
    return this.ending === 'failed' && this.status >= 200 && this.status <= 299 && this.#streams && !this.sawTerminal;
  }

  get sawTerminal(): boolean {
    return this.events.sawTerminal;
  }

  /** Of the body, when `hashed`. */
  hash(): string | undefined {
    return this.#hash?.digest('hex');
  }

  get #streams(): boolean {
    return this.failure?.kind !== 'not_sse';
  }

  #judge(whenTruncated: string): void {
    this.events.finish();
    const { errorMessage, complaint, sawTerminal } = this.events;
    if (errorMessage !== undefined) this.fail('stream_error', errorMessage);
    if (complaint !== undefined) this.fail('bad_sse', complaint);
    if (!sawTerminal) this.fail('truncated', whenTruncated);
  }

  #onEvent = (atUs: number): void => {
    const { options } = this;
    if (this.eventTimesUs && this.eventTimesUs.length < SAMPLED_EVENTS_MAX) this.eventTimesUs.push(atUs);
    if (this.firstEventUs === 0) this.firstEventUs = atUs;
    else if (options.onGap) {
      const gapUs = atUs - this.#lastEventUs;
      options.onGap(gapUs, this.#lastGapUs < 0 ? undefined : Math.abs(gapUs - this.#lastGapUs));
      this.#lastGapUs = gapUs;
    }
    this.#lastEventUs = atUs;
    if (options.behaviour === 'abandon' && this.events.events >= options.eventsMax) this.abandoned = true;
  };
}

/** The message of an OpenAI error envelope, or the beginning of any other text. */
function errorText(body: Buffer): string {
  const text = body.toString('utf8');
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
    const parts = [error?.code, error?.message].filter((part) => typeof part === 'string');
    if (parts.length > 0) return parts.join(': ').slice(0, 300);
  } catch {
    // Not JSON: usually the HTML page of a proxy.
  }
  return text.replace(/\s+/g, ' ').slice(0, 120);
}
