/** The part of a model's name that is recorded and logged: a client may send megabytes as one, or a prompt, or its key. */
import { redactKeys } from '../keys/redact-keys.ts';

export const MODEL_CHARACTERS_MAX = 256;

/**
 * The beginning of a long name, without a client key that was put there by mistake. A copy: a slice would keep all of the text
 * it is from (measured: 8 MB each), for as long as the stream. Half a character at the cut becomes U+FFFD.
 */
export function shortModelName(model: string): string {
  return redactKeys(
    model.length <= MODEL_CHARACTERS_MAX ? model : Buffer.from(model.slice(0, MODEL_CHARACTERS_MAX)).toString(),
  );
}
