/** Detects that an upstream has been stopped by backpressure. */
import type { ReceivedRequest } from '../../src/mock/received-request.ts';

/** After the first pause kernel buffers on the way may still take some bytes: it has stopped when none moved for this long. */
const QUIET_MS = 200;

/**
 * Resolves with the number of bytes sent when it stops growing, or all were sent.
 * @param enough bytes after which it gives up: nothing stops this upstream
 */
export async function stoppedAt(request: ReceivedRequest, enough = Number.POSITIVE_INFINITY): Promise<number> {
  for (let bytes = -1, sinceMs = 0; ; ) {
    if (request.end !== undefined) return request.bytesSent;
    if (request.bytesSent !== bytes || !request.paused) {
      bytes = request.bytesSent;
      sinceMs = performance.now();
      if (bytes > enough) return bytes;
    } else if (performance.now() - sinceMs > QUIET_MS) {
      return bytes;
    }
    await Bun.sleep(5);
  }
}
