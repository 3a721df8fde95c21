/** A log line for people (LOG_FORMAT=pretty): time, level, message, fields; the stack of an error below it. */

/** What may stand without quotes. */
const PLAIN_TEXT = /^[^\s"\\=\p{Cc}]+$/u;
const LEVEL_WIDTH = 5;

/** @param line JSON, as it is logged otherwise */
export function prettyLine(line: string): string {
  const { level, time, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>;
  const when = String(time).replace('T', ' ').replace('Z', '');
  let text = `${when} ${String(level).toUpperCase().padEnd(LEVEL_WIDTH)} ${oneLine(String(msg ?? ''))}`;
  for (const [name, value] of Object.entries(fields)) text += ` ${name}=${shown(value)}`;
  return `${text}\n${errorLines(err)}`;
}

function shown(value: unknown): string {
  return typeof value === 'string' && PLAIN_TEXT.test(value) ? value : JSON.stringify(value);
}

function errorLines(err: unknown): string {
  if (typeof err !== 'object' || err === null) return '';
  const { stack, message, name, code } = err as Record<string, unknown>;
  const lines = String(stack ?? `${name}: ${message ?? ''}`).split('\n');
  const first = code === undefined ? '' : ` (${oneLine(String(code))})`;
  return lines.map((line, i) => `    ${oneLine(line)}${i === 0 ? first : ''}\n`).join('');
}

/** A terminal acts on control characters, and a line break would begin what looks like another line. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}
