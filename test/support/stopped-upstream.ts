/** When an upstream that could send more has been brought to a stop by whoever does not read. */
import type { ReceivedRequest } from '../../src/mock/received-request.ts';

/** Behind the first pause the kernels on the way may still find room for some: it has stopped when nothing moved for so long. */
const QUIET_MS = 200;

/**
 * Resolves with what was sent when that does not grow any more, or all of it was sent.
 * @param enough bytes after which it is not waited for any longer: nothing stops this one
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
