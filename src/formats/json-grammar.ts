/** The grammar of JSON (RFC 8259), a byte at a time: what a value begins with, marks, escapes. */

/** What a value is, named by the byte it begins with; for numbers always `0`. */
export const JSON_OBJECT = 0x7b;
export const JSON_ARRAY = 0x5b;
export const JSON_STRING = 0x22;
export const JSON_NUMBER = 0x30;
export const JSON_TRUE = 0x74;
export const JSON_FALSE = 0x66;
export const JSON_NULL = 0x6e;

/** UTF-8; may stand before a document (RFC 8259, section 8.1: may be ignored), and TextDecoder passes it. */
export const BYTE_ORDER_MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const COLON = 0x3a;
export const BACKSLASH = 0x5c;
export const CLOSE_BRACKET = 0x5d;
export const CLOSE_BRACE = 0x7d;

// What ends the plain part of a string, and a run of numbers.
export const ENDS_PLAIN = tableOf((byte) => byte < 0x20 || byte === QUOTE || byte === BACKSLASH);
export const ENDS_PLAIN_LENIENT = tableOf((byte) => byte === QUOTE || byte === BACKSLASH);
export const ENDS_NUMBERS = tableOf((byte) => !' \t\r\n,+-./0123456789Ee'.includes(String.fromCharCode(byte)));

function tableOf(test: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (test(byte) ? 1 : 0));
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

export function isHex(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

/** Behind a backslash: `"`, `\`, `/`, b, f, n, r, t; not u, which has four digits to follow. */
export function isShortEscape(byte: number): boolean {
  switch (byte) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return true;
    default:
      return false;
  }
}

/** `u` and its four digits, at `at` and the four bytes behind it. */
export function isHexEscape(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === 0x75 &&
    isHex(bytes[at + 1] as number) &&
    isHex(bytes[at + 2] as number) &&
    isHex(bytes[at + 3] as number) &&
    isHex(bytes[at + 4] as number)
  );
}

/**
 * Where a plain part of a string ends, as a lenient scan sees it: at a quote, or at the backslash before one. `to` when it goes
 * on. What stands before `from` is no backslash.
 */
export function lenientPlainEnd(bytes: Uint8Array, from: number, to: number): number {
  const quote = bytes.subarray(from, to).indexOf(QUOTE);
  const end = quote < 0 ? to : from + quote;
  let start = end;
  while (start > from && bytes[start - 1] === BACKSLASH) start--;
  return ((end - start) & 1) === 1 ? end - 1 : end;
}
