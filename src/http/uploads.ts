/**
 * Request bodies that are streamed: read no faster than they are taken, and bounded in bytes and in the client's silence. The
 * total time of an upload is bounded only by UPSTREAM_TOTAL_TIMEOUT_MS.
 */
import { GatewayError } from '../errors.ts';
import { freeSpent } from '../upstream/spent-bytes.ts';
import { type BodyHolder, type BodyReader, checkEncoding, tooLarge } from './body-reader.ts';
import { type Deadlines, NOT_WATCHED, type Watched } from './deadlines.ts';

export interface UploadOptions {
  readonly bytesMax: number;
  /** The option that sets it, for the message to a client that sends more. */
  readonly bytesMaxOption: string;
  /** How long a client may send nothing while we are reading. */
  readonly idleTimeoutMs: number;
  readonly deadlines: Deadlines;
  readonly bodies: Pick<BodyReader, 'hold'>;
}

/** Inspects the bytes as they pass and may hold some back. What it throws ends the upload. */
interface UploadFilter {
  push(bytes: Uint8Array): Uint8Array;
  /** @returns what was held back */
  end(): Uint8Array;
}

/** What an upload has in memory: a piece on its way, and what Bun reads ahead. */
const HELD_BYTES = 1024 * 1024;
/** Nothing is read before it is asked for. */
const NOTHING_AHEAD = { highWaterMark: 0 };

/** @throws GatewayError unsupported_content_encoding, request_too_large, overloaded */
export function openUpload(request: Request, holder: BodyHolder, filter: UploadFilter, options: UploadOptions): Upload {
  checkEncoding(request);
  const announced = request.headers.get('content-length');
  const bytes = announced === null ? undefined : Number(announced);
  if (bytes !== undefined && bytes > options.bytesMax) throw tooLarge(options.bytesMax, options.bytesMaxOption);
  options.bodies.hold(Math.min(bytes ?? HELD_BYTES, HELD_BYTES), holder);
  return new Upload(request.body, bytes, filter, options);
}

export class Upload implements Watched {
  watchIndex = NOT_WATCHED;
  readonly stream: ReadableStream<Uint8Array>;
  /** The last time that a piece came and was taken. */
  lastMovedMs = performance.now();
  #moved = false;
  #isWhole = false;
  #bytesRead = 0;
  /** The last piece as it was read. When the next one is asked for, it has been sent. */
  #lastPiece: Uint8Array | null = null;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;

  constructor(
    body: ReadableStream<Uint8Array> | null,
    /** As it was announced. */
    readonly bytes: number | undefined,
    private readonly filter: UploadFilter,
    private readonly options: UploadOptions,
  ) {
    this.#reader = body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
    this.stream = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => this.#next(controller),
        // The client's body is left, not cancelled: Bun throws away the rest of a cancelled one as fast as it comes.
        cancel: () => this.options.deadlines.delete(this),
      },
      NOTHING_AHEAD,
    );
  }

  /** All of it has been read. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  check(nowMs: number): void {
    if (this.#moved) {
      this.#moved = false;
      this.lastMovedMs = nowMs;
    } else if (nowMs - this.lastMovedMs > this.options.idleTimeoutMs) {
      this.#fail(new GatewayError('request_timeout', 'The request body did not arrive in time'));
    }
  }

  /** Whoever relays the answer is told, too, and ends this. */
  cut(): void {}

  async #next(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#controller = controller;
    this.lastMovedMs = performance.now();
    this.options.deadlines.add(this);
    // Behind the last byte of a known length the end is looked for before that is sent.
    if (this.#lastPiece !== null && this.#bytesRead !== this.bytes) freeSpent(this.#lastPiece);
    this.#lastPiece = null;
    try {
      while (!(await this.#readPiece(controller)));
    } catch (error) {
      this.#fail(error);
    }
    // While upstream takes nothing more we do not read, so the client's silence does not count.
    this.options.deadlines.delete(this);
  }

  /** @returns whether there was something to hand out, or the end */
  async #readPiece(controller: ReadableStreamDefaultController<Uint8Array>): Promise<boolean> {
    const { done, value } = (await this.#reader?.read()) ?? { done: true, value: undefined };
    this.#moved = true;
    if (done) {
      const rest = this.filter.end();
      this.#isWhole = true;
      if (rest.length > 0) controller.enqueue(rest);
      controller.close();
      return true;
    }
    this.#bytesRead += value.length;
    const { bytesMax, bytesMaxOption } = this.options;
    if (this.#bytesRead > bytesMax) throw tooLarge(bytesMax, bytesMaxOption);
    const passed = this.filter.push(value);
    if (passed.length === 0) return false;
    controller.enqueue(passed);
    this.#lastPiece = value;
    return true;
  }

  #fail(error: unknown): void {
    this.options.deadlines.delete(this);
    const controller = this.#controller;
    this.#controller = undefined;
    controller?.error(error);
  }
}
