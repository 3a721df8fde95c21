/** Splits SSE bytes after every blank line (LF, CRLF or CR); the rest after the last one is an event, too. */
export function splitEvents<B extends Uint8Array>(bytes: B): B[] {
  const events: B[] = [];
  let start = 0;
  let lineStart = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte !== LF && byte !== CR) continue;
    const blank = i === lineStart && i > start;
    if (byte === CR && bytes[i + 1] === LF) i++;
    lineStart = i + 1;
    if (!blank) continue;
    events.push(bytes.subarray(start, i + 1) as B);
    start = i + 1;
  }
  if (start < bytes.length) events.push(bytes.subarray(start) as B);
  return events;
}

const LF = 10;
const CR = 13;
