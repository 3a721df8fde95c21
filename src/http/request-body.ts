/** Reads a request body within its bounds; what is in it is for body-fields.ts. */
import { GatewayError } from '../errors.ts';
import { Deadline, type Deadlines } from './deadlines.ts';

export interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly requestBodyTimeoutMs: number;
}

/** Of a refused coding's name, in the message. */
const ENCODING_CHARACTERS_MAX = 32;

/**
 * The whole body, for an endpoint whose bodies are small enough to be held (JSON).
 * @throws GatewayError unsupported_content_encoding, request_too_large (without reading on), request_timeout, invalid_request when the client left
 */
export function readBody(
  request: Request,
  { maxBodyBytes, requestBodyTimeoutMs }: BodyLimits,
  deadlines: Deadlines,
): Promise<Uint8Array> {
  const encoding = request.headers.get('content-encoding');
  if (encoding !== null && !/^(identity)?$/i.test(encoding.trim())) return Promise.reject(compressed(encoding));
  const announced = request.headers.get('content-length');
  if (announced !== null && Number(announced) > maxBodyBytes) return Promise.reject(tooLarge(maxBodyBytes));
  return new Promise((resolve, reject) => {
    const deadline = new Deadline(performance.now() + requestBodyTimeoutMs, (cut) => {
      deadlines.delete(deadline);
      reject(cut ?? new GatewayError('request_timeout', 'The request body did not arrive in time'));
    });
    deadlines.add(deadline);
    // `request.body` makes a stream of what Bun has in one piece already: only for a body of unknown length.
    const reading = announced !== null ? request.bytes() : readChunked(request.body, maxBodyBytes);
    reading.then(
      (bytes) => {
        deadlines.delete(deadline);
        resolve(bytes);
      },
      (error: unknown) => {
        deadlines.delete(deadline);
        reject(error instanceof GatewayError ? error : unreadable(error));
      },
    );
  });
}

/** A body without content-length: counted as it comes, and left as soon as it is too large. */
async function readChunked(body: ReadableStream<Uint8Array> | null, bytesMax: number): Promise<Uint8Array> {
  if (body === null) return new Uint8Array();
  const reader = body.getReader();
  const parts: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(parts, total);
    total += value.length;
    // The reader is left, not cancelled: Bun throws away the rest of a cancelled body as fast as it comes (1 GB within
    // the lingering close, measured), and stops reading the socket for one that nobody asks for more of.
    if (total > bytesMax) throw tooLarge(bytesMax);
    parts.push(value);
  }
}

function tooLarge(bytesMax: number): GatewayError {
  const size = bytesMax % (1024 * 1024) === 0 ? `${bytesMax / 1024 / 1024} MB` : `${bytesMax} bytes`;
  return new GatewayError('request_too_large', `The request body is larger than ${size}`);
}

function compressed(encoding: string): GatewayError {
  const message = `Content-Encoding '${encoding.slice(0, ENCODING_CHARACTERS_MAX)}' is not supported: send the body as it is`;
  return new GatewayError('unsupported_content_encoding', message);
}

function unreadable(cause: unknown): GatewayError {
  return new GatewayError('invalid_request', 'The request body could not be read', { cause });
}
