/**
 * The gateway's own answer to a request whose body may still be on its way.
 *
 * Bun reads and throws away the rest of a body that was not asked for, which keeps the connection usable but would let
 * a client upload for ever. A body that is long, or of unknown length, is therefore cut: the answer is sent at once,
 * and the connection closes a moment later (a lingering close: closing at once would reset the connection, and most
 * clients would report the reset instead of the answer they were sent).
 */
import { errorAnswer, type GatewayError } from '../errors.ts';
import { envelopeOf } from './envelope.ts';
import { requestIdOf } from './request-id.ts';

/** How many bytes of a body are discarded to keep the connection usable. */
const DISCARDED_BYTES_MAX = 1024 * 1024;
/** How long a client that is still sending gets to read the answer. */
const LINGER_MS = 500;

interface RefusalOptions {
  /** Of the request, when it has one already. */
  readonly requestId?: string;
  readonly bodyWasRead?: boolean;
}

export function refusal(request: Request, error: GatewayError, options: RefusalOptions = {}): Response {
  const requestId = options.requestId ?? requestIdOf(request.headers);
  const { status, headers, text } = errorAnswer(error, requestId, envelopeOf(request));
  if (options.bodyWasRead || !mayUploadLong(request)) return new Response(text, { status, headers });
  headers.connection = 'close';
  const body = new ReadableStream<Uint8Array>({
    type: 'direct',
    pull(controller) {
      controller.write(text);
      controller.flush();
      setTimeout(() => controller.close(), LINGER_MS);
    },
  });
  return new Response(body, { status, headers });
}

function mayUploadLong(request: Request): boolean {
  if (request.body === null) return false;
  const announced = request.headers.get('content-length');
  return announced === null || Number(announced) > DISCARDED_BYTES_MAX;
}
