/**
 * Takes the usage event out of a chat stream that was asked for it on behalf of the client (see usage-request.ts), and
 * nothing else: an event with `"choices": []` and a `usage` object, which upstream sends only when asked. What is left
 * is byte for byte what came. At most one unfinished event of `EVENT_BYTES_MAX` is held back.
 */

/** A usage event has some hundred bytes. A longer one is none, and is passed on as it comes. */
const EVENT_BYTES_MAX = 16 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const USAGE_KEY = Buffer.from('"usage"');

const decoder = new TextDecoder();

export class UsageEventFilter {
  #held: Uint8Array | null = null;
  /** Inside an event that is too long to be held: passed on until it ends. */
  #passing = false;
  #removedBytes = 0;

  /** Taken out so far. */
  get removedBytes(): number {
    return this.#removedBytes;
  }

  /** @returns what may go on to the client now; null for nothing */
  push(bytes: Uint8Array): Uint8Array | null {
    const all = this.#held ? Buffer.concat([this.#held, bytes]) : bytes;
    this.#held = null;
    const kept: Uint8Array[] = [];
    let at = 0;
    for (let end = endOfEvent(all, at); end !== -1; end = endOfEvent(all, at)) {
      const event = all.subarray(at, end);
      if (this.#passing || !this.#takesOut(event)) kept.push(event);
      this.#passing = false;
      at = end;
    }
    const rest = all.subarray(at);
    if (this.#passing || rest.length > EVENT_BYTES_MAX) {
      this.#passing = rest.length > 0 || this.#passing;
      kept.push(rest);
    } else if (rest.length > 0) {
      // A copy: the read may be large, and it must not be kept alive for its last few bytes.
      this.#held = rest.slice();
    }
    return joined(kept);
  }

  /** The stream has ended or broken off. @returns what was held back, or null */
  end(): Uint8Array | null {
    const held = this.#held;
    this.#held = null;
    return held && !this.#takesOut(held) ? held : null;
  }

  /** The stream broke off: what is held back is part of an event, and dropped. @returns whether the client has whole events only */
  drop(): boolean {
    this.#removedBytes += this.#held?.length ?? 0;
    this.#held = null;
    return !this.#passing;
  }

  #takesOut(event: Uint8Array): boolean {
    if (!isAddedUsage(event)) return false;
    this.#removedBytes += event.length;
    return true;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array | null {
  const [first] = parts;
  if (parts.length > 1) return Buffer.concat(parts);
  return first && first.length > 0 ? first : null;
}

/** Behind the blank line that ends the event that starts at `from`, with any of the three line ends; -1 while it is not there. */
function endOfEvent(bytes: Uint8Array, from: number): number {
  let lineStart = from;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte !== LF && byte !== CR) continue;
    let next = at + 1;
    if (byte === CR) {
      // Half of a CRLF, perhaps.
      if (next === bytes.length) return -1;
      if (bytes[next] === LF) next++;
    }
    if (at === lineStart) return next;
    lineStart = next;
    at = next - 1;
  }
  return -1;
}

function isAddedUsage(event: Uint8Array): boolean {
  if (Buffer.prototype.indexOf.call(event, USAGE_KEY) === -1) return false;
  const data = decoder
    .decode(event)
    .split(/\r\n|\r|\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length))
    .join('\n');
  try {
    const chunk = JSON.parse(data) as { choices?: unknown; usage?: unknown } | null;
    return (
      Array.isArray(chunk?.choices) &&
      chunk.choices.length === 0 &&
      typeof chunk.usage === 'object' &&
      chunk.usage !== null
    );
  } catch {
    return false;
  }
}
