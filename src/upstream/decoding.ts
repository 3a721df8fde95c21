/**
 * An answer that comes compressed although `accept-encoding: identity` was sent: decoded on the way, because the label
 * (content-encoding) is not on the allow-list and the client would not know. The rare path: it may cost something.
 */
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import { UpstreamError, type UpstreamSink } from './client.ts';

const DECODERS: Readonly<Record<string, () => ReturnType<typeof createGunzip>>> = {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

export interface Decoder {
  data(bytes: Uint8Array): void;
  end(): void;
  /** Nothing more is told to the sink. */
  discard(): void;
}

/** Whether a body of this content-encoding must be decoded. */
export function isEncoded(contentEncoding: string | null): contentEncoding is string {
  return contentEncoding !== null && contentEncoding !== '' && contentEncoding.toLowerCase() !== 'identity';
}

/** @returns null for an encoding that is not known */
export function createDecoder(
  contentEncoding: string,
  sink: Pick<UpstreamSink, 'data' | 'end' | 'fail'>,
): Decoder | null {
  const create = DECODERS[contentEncoding.toLowerCase()];
  if (!create) return null;
  const stream = create();
  stream.on('data', (bytes: Uint8Array) => sink.data(bytes));
  stream.on('end', () => sink.end());
  stream.on('error', (error) =>
    sink.fail(new UpstreamError('protocol', 'Upstream sent an invalid answer', { cause: error })),
  );
  return {
    data: (bytes) => void stream.write(bytes),
    end: () => void stream.end(),
    discard: () => {
      stream.removeAllListeners();
      stream.on('error', () => {});
      stream.destroy();
    },
  };
}
