/**
 * The beginning of a stream that may yet be tried on another target (RETRY_STREAM_ERRORS): its events are held until one has
 * content or reports an error, within bounds of bytes and time. Then it passes everything on.
 */
import { StreamStart } from '../formats/stream-start.ts';
import type { BodySink, ResponseHeaders, UpstreamError, UpstreamSink } from './client.ts';
import { DISCARD } from './own-probe.ts';

const HELD_BYTES_MAX = 64 * 1024;
const HELD_MS_MAX = 2000;

export class HeldStream implements BodySink {
  readonly #start = new StreamStart();
  readonly #timer: Timer;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** The receiver of the body; null while it is held. */
  #body: BodySink | null = null;

  constructor(
    private readonly sink: UpstreamSink,
    private readonly status: number,
    private readonly headers: ResponseHeaders,
    /** The stream reports an error before any content. Returns whether the request goes to another target. */
    private readonly tryAnother: () => boolean,
  ) {
    this.#timer = setTimeout(() => this.release(), HELD_MS_MAX);
  }

  data(bytes: Uint8Array): void {
    if (this.#body !== null) {
      this.#body.data(bytes);
      return;
    }
    this.#held.push(new Uint8Array(bytes));
    this.#heldBytes += bytes.length;
    const verdict = this.#start.push(bytes);
    if (verdict === 'error' && this.tryAnother()) this.#drop();
    else if (verdict !== 'undecided' || this.#heldBytes >= HELD_BYTES_MAX) this.release();
  }

  end(): void {
    this.release();
    this.#body!.end();
  }

  fail(error: UpstreamError): void {
    if (this.#body === null && error.kind === 'aborted') {
      this.#drop();
      this.sink.fail(error);
      return;
    }
    this.release();
    this.#body!.fail(error);
  }

  /** What is held goes to the client, and nothing is held any more. */
  release(): void {
    if (this.#body !== null) return;
    clearTimeout(this.#timer);
    const held = this.#held;
    this.#held = [];
    this.#body = this.sink.head(this.status, this.headers);
    for (const bytes of held) this.#body.data(bytes);
  }

  #drop(): void {
    clearTimeout(this.#timer);
    this.#held = [];
    this.#body = DISCARD;
  }
}
