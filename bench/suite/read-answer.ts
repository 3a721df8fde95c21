/** Reads one answer to its end on a connection of its own. By node:http, because fetch obeys HTTP_PROXY even on loopback. */
import { request } from 'node:http';
import { type ExpectedAnswer, expectedAnswer } from './expected-answer.ts';
import { requestTo, type TargetEndpoint } from './load.ts';

interface TimedPiece {
  readonly piece: Buffer;
  /** On the clock of `performance.now()`. */
  readonly atMs: number;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly pieces: readonly TimedPiece[];
}

const TIMEOUT_MS = 20_000;

export function readAnswer(endpoint: TargetEndpoint, model: string): Promise<Answer> {
  const { path, ...options } = requestTo(endpoint, new URL(endpoint.url).pathname, model);
  return new Promise((resolve, reject) => {
    const asked = request(new URL(path, endpoint.url), { ...options, agent: false, timeout: TIMEOUT_MS }, (answer) => {
      const pieces: TimedPiece[] = [];
      answer.on('data', (piece: Buffer) => pieces.push({ piece, atMs: performance.now() }));
      answer.on('error', reject);
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, contentType: answer.headers['content-type'] ?? '', pieces }),
      );
    });
    asked.on('error', reject);
    asked.on('timeout', () => asked.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    asked.end(options.body);
  });
}

export async function readExpected(endpoint: TargetEndpoint, model: string): Promise<ExpectedAnswer> {
  const { status, contentType, pieces } = await readAnswer(endpoint, model);
  return expectedAnswer(status, contentType, Buffer.concat(pieces.map(({ piece }) => piece)));
}
