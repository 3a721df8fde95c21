/** One POST of the demo, on a connection of its own. By node:http, because fetch obeys HTTP_PROXY even on loopback. */
import { type IncomingMessage, request } from 'node:http';

interface Posted {
  readonly status: number;
  /** Of `X-BVE-Latency`. */
  readonly latency: string | undefined;
}

/**
 * Resolves when the answer has ended.
 * @param onPiece told of the body as it arrives
 */
export function post(
  url: string,
  key: string,
  body: object,
  onPiece: (piece: Buffer) => void = () => {},
  signal?: AbortSignal,
): Promise<Posted> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'POST', headers, agent: false, ...(signal ? { signal } : {}) });
    asked.on('error', reject);
    asked.on('response', (answer: IncomingMessage) => {
      const latency = answer.headers['x-bve-latency'];
      answer.on('data', onPiece);
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, latency: latency as string | undefined }));
    });
    asked.end(JSON.stringify(body));
  });
}
