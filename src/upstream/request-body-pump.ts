/**
 * Moves a streamed request body onto a connection, a piece at a time: it asks the source for the next one only when the
 * kernel has accepted the last one whole. It keeps nothing, so a request that was begun is never sent again.
 *
 * It reads nothing before the connection is there and the head is sent.
 */
import { UpstreamError } from './client.ts';
import type { StreamedBody } from './streamed-body.ts';

/** A connection with a request on it that is not whole yet. */
interface RequestWriter {
  /** @param last nothing follows */
  write(bytes: Uint8Array, last: boolean): void;
}

const NOTHING = new Uint8Array(0);
const LAST_CHUNK = Buffer.from('0\r\n\r\n');

export class RequestBodyPump {
  #over = false;

  /** @param fail told at most once, and not after `stop` */
  constructor(
    private readonly body: StreamedBody,
    private readonly fail: (error: UpstreamError) => void,
  ) {}

  /** The kernel has accepted all of the request so far. */
  next(writer: RequestWriter): void {
    if (this.#over) return;
    this.body
      .read()
      .then((piece) => this.#write(writer, piece))
      .catch((error) => this.#failed(error));
  }

  /** No more of the source is of use. Harmless when it has been sent whole. */
  stop(): void {
    this.#over = true;
    this.body.cancel();
  }

  #write(writer: RequestWriter, piece: Uint8Array | null): void {
    if (this.#over) return;
    const chunked = this.body.bytes === undefined;
    if (piece !== null) {
      writer.write(chunked ? chunkOf(piece) : piece, false);
    } else {
      this.#over = true;
      writer.write(chunked ? LAST_CHUNK : NOTHING, true);
    }
  }

  #failed(error: unknown): void {
    if (this.#over) return;
    this.stop();
    const known = error instanceof UpstreamError;
    this.fail(known ? error : new UpstreamError('protocol', 'The request cannot be sent', { cause: error }));
  }
}

/** RFC 9112, section 7.1. In one buffer, so that a small piece is one packet; a copy costs less than a system call. */
function chunkOf(piece: Uint8Array): Uint8Array {
  const size = `${piece.length.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafe(size.length + piece.length + 2);
  chunk.write(size, 'latin1');
  chunk.set(piece, size.length);
  chunk.write('\r\n', size.length + piece.length, 'latin1');
  return chunk;
}
