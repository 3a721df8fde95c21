/**
 * Asks upstream for a stream's usage on behalf of a client that did not (STREAM_USAGE=inject, contract section 6):
 * `stream_options.include_usage` becomes true and no other byte of the request changes: no name moves, no number is
 * written anew, unknown fields stay.
 */
import { JSON_FALSE, JSON_NULL, JSON_OBJECT } from './json-grammar.ts';
import type { RequestFields } from './request-fields.ts';

/** The body that asks for usage; null when the client has asked itself, or for something only upstream can judge. */
export function withUsageRequested(body: Uint8Array, found: RequestFields): Uint8Array | null {
  const options = found.get('stream_options')?.value ?? null;
  if (options === null) {
    return splice(body, found.membersFrom, found.membersFrom, '"stream_options":{"include_usage":true},');
  }
  if (options.kind === JSON_NULL) return splice(body, options.from, options.to, '{"include_usage":true}');
  if (options.kind !== JSON_OBJECT) return null;
  const include = found.get('include_usage')?.value ?? null;
  if (include === null) {
    const end = found.streamOptionsEmpty ? '' : ',';
    return splice(body, options.from + 1, options.from + 1, `"include_usage":true${end}`);
  }
  if (include.kind !== JSON_FALSE && include.kind !== JSON_NULL) return null;
  return splice(body, include.from, include.to, 'true');
}

function splice(body: Uint8Array, from: number, to: number, text: string): Uint8Array {
  return Buffer.concat([body.subarray(0, from), Buffer.from(text), body.subarray(to)]);
}
