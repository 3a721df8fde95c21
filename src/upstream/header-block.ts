/** Header fields of a request, as they go over the wire. */

export type HeaderField = readonly [name: string, value: string];

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/**
 * No character that would end a field and begin another. The values come from parsed headers, so this is a second check.
 * Nothing above Latin-1 either: of U+010A only the low byte would be sent, a line feed.
 */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Fields that many requests share: checked and written out once, and not for each of them. */
export class HeaderBlock {
  /** Each field ended by CRLF. */
  readonly text: string;

  /** @throws Error when one cannot be sent */
  constructor(readonly fields: readonly HeaderField[]) {
    this.text = fieldLines(fields);
  }
}

/** Each ended by CRLF. @throws Error when one cannot be sent */
export function fieldLines(fields: readonly HeaderField[]): string {
  let lines = '';
  for (const [name, value] of fields) {
    if (!isToken(name) || !FIELD_VALUE.test(value)) throw new Error('invalid header field');
    lines += `${name}: ${value}\r\n`;
  }
  return lines;
}

/** RFC 9110, section 5.6.2. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}
