/**
 * Client keys in places that are not for them: sent as a model's name, as a request's id or in a path they would end up in
 * records, log lines and messages, or upstream.
 */

const MARK = 'sk-bve-';
/** The five digits that a key is recognised by may stay. */
const KEYS = /sk-bve-[0-9a-f]{6,}/gi;
/** More escapes in escapes than anybody writes. */
const DECODED_TIMES_MAX = 3;

/** The text without what may be a client key, or the beginning of one. */
export function redactKeys(text: string): string {
  return text.replace(KEYS, 'sk-bve-[redacted]');
}

/** Whether a path or query may hold a client key, escaped or not. */
export function holdsKey(text: string): boolean {
  return decodeLoosely(text).includes(MARK);
}

/** A path for a message: as it is, or if a key is escaped in it, decoded and without that. */
export function redactPath(path: string): string {
  return holdsKey(path) ? redactKeys(decodeLoosely(path)) : path;
}

/** A malformed escape elsewhere in the text must not hide a key in it. */
function decodeLoosely(text: string): string {
  let decoded = text;
  for (let times = 0; times < DECODED_TIMES_MAX && decoded.includes('%'); times++) {
    decoded = decoded.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  }
  return decoded;
}
