/**
 * The source of a streamed request body: read a piece at a time, held to the length that was announced for it, and
 * cancelled once it is not needed any more.
 *
 * The piece that completes an announced length is handed out only when the source has ended behind it. So upstream never
 * sees a whole request from a source that then fails or has more.
 */
import { UpstreamError, type UpstreamRequest } from './client.ts';

export class StreamedBody {
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Announced and not read yet; undefined when nothing was announced. */
  #remaining: number | undefined;
  #over = false;

  /** That of a request, or null when its body is none or whole. */
  static of({ body, bodyBytes }: UpstreamRequest): StreamedBody | null {
    return body instanceof ReadableStream ? new StreamedBody(body, bodyBytes) : null;
  }

  /** @param bytes announced length */
  private constructor(
    private readonly stream: ReadableStream<Uint8Array>,
    readonly bytes: number | undefined,
  ) {
    this.#remaining = bytes;
  }

  /** It was cancelled: nothing of it may be sent any more. */
  get cancelled(): boolean {
    return this.#over;
  }

  /**
   * Before the first `read`.
   * @throws Error when somebody else reads the stream, or the length is none
   */
  open(): void {
    if (this.bytes !== undefined && !(Number.isSafeInteger(this.bytes) && this.bytes >= 0)) {
      throw new Error('invalid length of the request body');
    }
    this.#reader = this.stream.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  }

  /**
   * The next piece, never an empty one; null at the end, or when it was cancelled.
   * @throws UpstreamError `aborted`, with what went wrong as its cause
   */
  async read(): Promise<Uint8Array | null> {
    try {
      const piece = await this.#next();
      return this.#remaining === undefined || this.#over ? piece : await this.#held(piece, this.#remaining);
    } catch (error) {
      throw new UpstreamError('aborted', 'The request body broke off', { cause: error });
    }
  }

  /** Tells the source that no more is read. May be called at any time, and more than once. */
  cancel(): void {
    if (this.#over) return;
    this.#over = true;
    // The body is not needed any more, so an error of its source does not matter.
    (this.#reader ?? this.stream).cancel().catch(() => {});
  }

  async #held(piece: Uint8Array | null, left: number): Promise<Uint8Array | null> {
    const after = left - (piece?.length ?? 0);
    if (piece === null && after > 0) throw new Error('the request body is shorter than announced');
    const surplus = after < 0 || (after === 0 && piece !== null && (await this.#next()) !== null);
    if (surplus) throw new Error('the request body is longer than announced');
    this.#remaining = after;
    return piece;
  }

  async #next(): Promise<Uint8Array | null> {
    for (;;) {
      const { done, value } = await this.#reader!.read();
      if (done || this.#over) return null;
      // Anything else has another length than it seems to have.
      if (!(value instanceof Uint8Array)) throw new TypeError('the request body is not of bytes');
      if (value.length > 0) return value;
    }
  }
}
