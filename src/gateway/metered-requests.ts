/** A key with a token limit may only make requests whose usage can be counted (contract, section 3). */
import { GatewayError } from '../errors.ts';
import { JSON_FALSE, JSON_NULL } from '../formats/json-grammar.ts';
import type { BodyFields } from '../http/body-fields.ts';

/**
 * Background work costs tokens that no answer reports, and a run reports its usage only at the end of its stream.
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
