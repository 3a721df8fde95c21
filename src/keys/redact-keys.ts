/**
 * Removes client keys that a client sent by mistake as a model's name, as a request's id or in a path, so that they do not end
 * up in records, log lines and messages, or upstream.
 */

const MARK = 'sk-bve-';
/** The first five digits, by which people recognise a key, may stay. */
const KEYS = /sk-bve-[0-9a-f]{6,}/gi;
/** How often a text is percent-decoded. Nobody nests escapes deeper than this. */
const DECODED_TIMES_MAX = 3;

/** The text with client keys, and beginnings of them, masked. */
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
