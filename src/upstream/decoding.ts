/**
 * Decodes an answer that is compressed although `accept-encoding: identity` was sent. The client would not know: the field
 * content-encoding is not on the allow-list. This is the rare path, and may cost processor time, but not memory: the decoder
 * stops until the sink has taken what a few bytes expand to.
 *
 * It uses DecompressionStream and not node:zlib, whose zstd stream ends as if whole when its end is missing (Bun 1.4.5).
 */
import { type BodySink, UpstreamError } from './client.ts';

type Format = ConstructorParameters<typeof DecompressionStream>[0];

const FORMATS: ReadonlyMap<string, Format> = new Map([
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'brotli'],
  ['zstd', 'zstd'],
]);

export interface DecodedSink extends BodySink {
  /** The decoder's queue is full: no more compressed bytes before `drained`. */
  full(): void;
  drained(): void;
}

/** What a body must be decoded from, in lower case: null when it is plain. `identity` and empty elements mean nothing. */
export function codingOf(contentEncoding: string | null): string | null {
  if (contentEncoding === null) return null;
  const codings = contentEncoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim());
  return codings.filter((coding) => coding !== '' && coding !== 'identity').join(', ') || null;
}

/** @param coding as `codingOf` gives it @returns null when it is not known, or more than one */
export function createDecoder(coding: string, sink: DecodedSink): Decoder | null {
  const format = FORMATS.get(coding);
  return format === undefined ? null : new Decoder(format, sink);
}

export class Decoder {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #anything = false;
  #discarded = false;
  #broken: UpstreamError | undefined;
  /** Pending while the sink is paused. */
  #pause: PromiseWithResolvers<void> | undefined;

  constructor(
    format: Format,
    private readonly sink: DecodedSink,
  ) {
    const { writable, readable } = new DecompressionStream(format);
    this.#writer = writable.getWriter() as WritableStreamDefaultWriter<Uint8Array>;
    this.#reader = readable.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  }

  data(bytes: Uint8Array): void {
    if (!this.#anything) void this.#read();
    this.#anything = true;
    // A copy, because it may wait there.
    this.#writer.write(new Uint8Array(bytes)).catch(seenByTheReader);
    if (this.#writer.desiredSize! > 0) return;
    this.sink.full();
    this.#writer.ready.then(() => this.#discarded || this.sink.drained(), seenByTheReader);
  }

  /** No more comes. An empty body is empty in every encoding, as that of a 204 or of a HEAD. */
  end(): void {
    if (this.#anything) this.#writer.close().catch(seenByTheReader);
    else this.sink.end();
  }

  /** The rest will never come: what was there is handed on, then this error. */
  break(error: UpstreamError): void {
    this.#broken = error;
    if (this.#anything) this.#writer.close().catch(seenByTheReader);
    else this.sink.fail(error);
  }

  pause(): void {
    this.#pause ??= Promise.withResolvers<void>();
  }

  resume(): void {
    this.#pause?.resolve();
    this.#pause = undefined;
  }

  /** Nothing more is told to the sink. */
  discard(): void {
    this.#discarded = true;
    this.resume();
    this.#writer.abort().catch(seenByTheReader);
    this.#reader.cancel().catch(seenByTheReader);
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        while (this.#pause) await this.#pause.promise;
        const { done, value } = await this.#reader.read();
        if (this.#discarded) return;
        if (done) break;
        if (value.length > 0) this.sink.data(value);
      }
      if (this.#broken) this.sink.fail(this.#broken);
      else this.sink.end();
    } catch (error) {
      if (this.#discarded) return;
      this.sink.fail(
        this.#broken ?? new UpstreamError('protocol', 'Upstream sent an invalid answer', { cause: error }),
      );
    }
  }
}

/** Writer and reader belong to one stream: what breaks it is told once, by `read()`. */
function seenByTheReader(): void {}
