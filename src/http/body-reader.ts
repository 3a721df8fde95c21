/**
 * Reads request bodies within bounds: of one body, of its time, and of all that are held at once. A body counts from the
 * moment it is announced until its request lets go of it. What is in it is for body-fields.ts.
 */
import { GatewayError } from '../errors.ts';
import { Deadline, type Deadlines } from './deadlines.ts';

interface BodyReaderOptions {
  readonly bytesMax: number;
  /** The option that sets it, for the message to a client that sends more. */
  readonly bytesMaxOption?: string;
  /** Of all bodies that are held at once. */
  readonly bytesTotalMax: number;
  readonly timeoutMs: number;
  readonly deadlines: Deadlines;
}

/** The request whose body it is. */
export interface BodyHolder {
  /** The bytes counted for it. Only `BodyReader` changes it; 0 at first. */
  heldBodyBytes: number;
  /** A long body, whose memory is given back when the request is over; for `BodyReader` alone. Weak: a long answer must not hold it. */
  longBody?: WeakRef<Uint8Array> | undefined;
}

/** How much of the name of a refused coding is in the message. */
const ENCODING_CHARACTERS_MAX = 32;

/** A body from here on is not left to the garbage collector, which waits until there are some 400 MB of them. */
const LONG_BODY_BYTES = 64 * 1024;

export class BodyReader {
  #heldBytes = 0;
  readonly #options: BodyReaderOptions;

  constructor(options: BodyReaderOptions) {
    this.#options = options;
  }

  /** The bytes of all bodies held now. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /**
   * The whole body, for an endpoint whose bodies are small enough to be held (JSON). The holder must be released, whatever
   * comes of it.
   * @throws GatewayError, or rejects with it: unsupported_content_encoding, request_too_large and overloaded (without
   *   reading on), request_timeout, invalid_request when the client left
   */
  read(request: Request, holder: BodyHolder): Promise<Uint8Array> {
    checkEncoding(request);
    const announced = request.headers.get('content-length');
    if (announced !== null) this.#take(Number(announced), holder);
    // `request.body` makes a stream of what Bun has in one piece already: only for a body of unknown length.
    return this.#inTime(announced !== null ? request.bytes() : this.#readChunked(request.body, holder), holder);
  }

  /** Counts a body that is streamed, of which so much is held at once. @throws GatewayError overloaded */
  hold(bytes: number, holder: BodyHolder): void {
    this.#takeOfTotal(bytes, holder);
  }

  /** Another body takes the place of the one that was read, which nobody uses any more. */
  replace(body: Uint8Array, holder: BodyHolder): void {
    if (holder.longBody === undefined) return;
    this.free(holder);
    holder.longBody = new WeakRef(body);
  }

  /** Its request is over, and nobody uses its body any more: the memory of a long one is given back at once. */
  free(holder: BodyHolder): void {
    const buffer = holder.longBody?.deref()?.buffer;
    holder.longBody = undefined;
    // Detaches the old memory, which goes back without waiting for the collector.
    if (buffer instanceof ArrayBuffer) buffer.transfer(0);
  }

  /** Its body does not count any more; harmless when it never did. */
  release(holder: BodyHolder): void {
    this.#heldBytes -= holder.heldBodyBytes;
    holder.heldBodyBytes = 0;
  }

  /** @throws GatewayError request_too_large, overloaded */
  #take(bytes: number, holder: BodyHolder): void {
    const { bytesMax, bytesMaxOption } = this.#options;
    if (holder.heldBodyBytes + bytes > bytesMax) throw tooLarge(bytesMax, bytesMaxOption);
    this.#takeOfTotal(bytes, holder);
  }

  #takeOfTotal(bytes: number, holder: BodyHolder): void {
    const { bytesTotalMax } = this.#options;
    if (this.#heldBytes + bytes > bytesTotalMax)
      throw new GatewayError('overloaded', 'The gateway has no memory for another request body', {
        retryAfterS: 1,
        reason: 'bodies',
      });
    this.#heldBytes += bytes;
    holder.heldBodyBytes += bytes;
  }

  /** A body without content-length: counted as it comes, and left as soon as it is too large. */
  async #readChunked(body: ReadableStream<Uint8Array> | null, holder: BodyHolder): Promise<Uint8Array> {
    if (body === null) return new Uint8Array();
    const reader = body.getReader();
    const parts: Uint8Array[] = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return Buffer.concat(parts, holder.heldBodyBytes);
      // The reader is left, not cancelled: Bun throws away the rest of a cancelled body as fast as it comes (1 GB within
      // the lingering close, measured), and stops reading the socket for one that nobody asks for more of.
      this.#take(value.length, holder);
      parts.push(value);
    }
  }

  #inTime(reading: Promise<Uint8Array>, holder: BodyHolder): Promise<Uint8Array> {
    const { timeoutMs, deadlines } = this.#options;
    return new Promise((resolve, reject) => {
      const deadline = new Deadline(performance.now() + timeoutMs, (cut) => {
        deadlines.delete(deadline);
        reject(cut ?? new GatewayError('request_timeout', 'The request body did not arrive in time'));
      });
      deadlines.add(deadline);
      reading.then(
        (bytes) => {
          deadlines.delete(deadline);
          if (bytes.length >= LONG_BODY_BYTES) holder.longBody = new WeakRef(bytes);
          resolve(bytes);
        },
        (error: unknown) => {
          deadlines.delete(deadline);
          reject(error instanceof GatewayError ? error : unreadable(error));
        },
      );
    });
  }
}

export function tooLarge(bytesMax: number, option: string | undefined): GatewayError {
  const size = bytesMax % (1024 * 1024) === 0 ? `${bytesMax / 1024 / 1024} MB` : `${bytesMax} bytes`;
  const named = option === undefined ? '' : ` (${option})`;
  return new GatewayError('request_too_large', `The request body is larger than ${size}${named}`);
}

/** @throws GatewayError unsupported_content_encoding */
export function checkEncoding({ headers }: Request): void {
  const encoding = headers.get('content-encoding');
  if (encoding !== null && !/^(identity)?$/i.test(encoding.trim())) throw compressed(encoding);
}

function compressed(encoding: string): GatewayError {
  const message = `Content-Encoding '${encoding.slice(0, ENCODING_CHARACTERS_MAX)}' is not supported: send the body as it is`;
  return new GatewayError('unsupported_content_encoding', message);
}

function unreadable(cause: unknown): GatewayError {
  return new GatewayError('invalid_request', 'The request body could not be read', { cause });
}
