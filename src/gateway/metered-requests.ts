/** Whether the usage of a request can be counted: a key with a token limit may make no other (contract, section 3). */
import { GatewayError } from '../errors.ts';
import { JSON_FALSE, JSON_NULL } from '../formats/json-grammar.ts';
import type { BodyFields } from '../http/body-fields.ts';

/**
 * What upstream does in the background is paid for when nobody listens, and a run reports its usage at the end of its stream.
 * @throws GatewayError invalid_request
 */
export function checkMetered(isRun: boolean, { stream, found }: BodyFields): void {
  const background = found.get('background');
  const kind = background?.value?.kind ?? JSON_NULL;
  // Two parsers could read differently what occurs twice or in another case.
  const isPlain = background === undefined || (background.occurrences === 1 && !background.inOtherCase);
  if (!isPlain || (kind !== JSON_NULL && kind !== JSON_FALSE)) throw unmetered("Requests with 'background'");
  if (isRun && !stream) throw unmetered("Runs without 'stream': true");
}

function unmetered(what: string): GatewayError {
  return new GatewayError('invalid_request', `${what} cannot be metered: this API key has a token limit`);
}
