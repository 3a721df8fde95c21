/** Verifies that a target passes answers on byte for byte; only then is it timed. */
import type { ExpectedAnswer } from './expected-answer.ts';
import type { TargetEndpoint } from './load.ts';
import { readAnswer, readExpected } from './read-answer.ts';
import { faultCount, StreamChecker } from './stream-checker.ts';

export interface Verification {
  readonly model: string;
  /** Of the body from the target, without the digits of its times. */
  readonly hash: string;
  /** How it differs from upstream's answer; null when it does not. */
  readonly difference: string | null;
}

export async function verifyAnswer(
  endpoint: TargetEndpoint,
  model: string,
  expected: ExpectedAnswer,
): Promise<Verification> {
  try {
    const got = await readExpected(endpoint, model);
    return { model, hash: got.hash, difference: await differenceOf(endpoint, model, expected, got) };
  } catch (error) {
    return { model, hash: '', difference: `no whole answer: ${(error as Error).message}` };
  }
}

async function differenceOf(
  endpoint: TargetEndpoint,
  model: string,
  expected: ExpectedAnswer,
  got: ExpectedAnswer,
): Promise<string | null> {
  if (got.status !== expected.status) return `status ${got.status}, not ${expected.status}`;
  if (got.contentType !== expected.contentType) return `content-type ${got.contentType}, not ${expected.contentType}`;
  if (got.hash === expected.hash) return null;
  const { pieces, status } = await readAnswer(endpoint, model);
  const checker = new StreamChecker(expected, () => {});
  for (const { piece } of pieces) checker.push(piece);
  const faults = checker.end(status);
  if (faultCount(faults) === 0) return null;
  const found = Object.entries(faults).filter(([, count]) => count > 0);
  return `body differs: ${found.map(([kind, count]) => `${kind} ${count}`).join(', ')}`;
}
