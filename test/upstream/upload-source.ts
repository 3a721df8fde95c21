/** A stream as the body of a request, which notes how it is read. */

export interface UploadSource {
  readonly stream: ReadableStream<Uint8Array>;
  /** Bytes that were asked for. */
  readonly pulledBytes: number;
  /** Resolves when the reader has cancelled it. */
  readonly cancelled: Promise<void>;
}

export type Piece = Uint8Array | string;

/**
 * Gives a piece for each time it is asked, then ends; an Error instead of a piece is how it fails, a promise what it
 * waits for. Nothing is prepared ahead of being asked.
 */
export function uploadSource(pieces: Iterable<Piece | Error | Promise<Piece | Error>>): UploadSource {
  const iterator = pieces[Symbol.iterator]();
  const { promise: cancelled, resolve } = Promise.withResolvers<void>();
  const source = { pulledBytes: 0, cancelled, stream: new ReadableStream<Uint8Array>() };
  source.stream = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = iterator.next();
        if (next.done) return controller.close();
        const piece = await next.value;
        if (piece instanceof Error) return controller.error(piece);
        const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
        source.pulledBytes += bytes.length;
        controller.enqueue(bytes);
      },
      cancel: () => resolve(),
    },
    { highWaterMark: 0 },
  );
  return source;
}

/** The same piece without end. */
export function* endless(piece: Piece): Generator<Piece> {
  for (;;) yield piece;
}

/** A piece that never comes. */
export const NEVER = new Promise<never>(() => {});
