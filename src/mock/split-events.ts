/** Cuts SSE bytes behind every blank line (LF, CRLF or CR); what follows the last one is an event too. */
export function splitEvents(bytes: Uint8Array): Uint8Array[] {
  const events: Uint8Array[] = [];
  let start = 0;
  let lineStart = 0;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte !== LF && byte !== CR) continue;
    const blank = i === lineStart && i > start;
    if (byte === CR && bytes[i + 1] === LF) i++;
    lineStart = i + 1;
    if (!blank) continue;
    events.push(bytes.subarray(start, i + 1));
    start = i + 1;
  }
  if (start < bytes.length) events.push(bytes.subarray(start));
  return events;
}

const LF = 10;
const CR = 13;
