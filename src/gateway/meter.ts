/**
 * The meter is told of the bytes of one answer as they pass, and says what was in them: how many, the usage they reported, and
 * where the stream stands. Guarantees: it never owns, changes or keeps the bytes; constant memory (about 1 kB) whatever passes;
 * the same answer for every split; never throws. What it reads is defined in `event-usage.ts` and `usage-document.ts`.
 */
import { EventUsage } from '../formats/event-usage.ts';
import { USAGE_FORMS, type Usage } from '../formats/usage-counts.ts';
import { UsageDocument } from '../formats/usage-document.ts';

export type { Usage };

/** `chat` also covers completions and embeddings; `opaque` is passed on unread. */
export type Format = 'chat' | 'responses' | 'messages' | 'opaque';

export type BodyKind = 'sse' | 'json' | 'none';

const USAGE_KEY = Buffer.from('"usage"');
const BLANK_LF = Buffer.from('\n\n');
const BLANK_CRLF = Buffer.from('\r\n\r\n');
const LF = 0x0a;
const CR = 0x0d;

/**
 * Without one of these in it no event can be terminal, since names and types are compared byte by byte. They may well occur in
 * others: then the slow path decides.
 */
const TERMINAL_NEEDLES: Record<Format, Buffer[]> = {
  chat: [Buffer.from('[DONE]')],
  responses: ['response.completed', 'response.failed', 'response.incomplete', 'error'].map((text) => Buffer.from(text)),
  messages: ['message_stop', 'error'].map((text) => Buffer.from(text)),
  opaque: [Buffer.from('[DONE]')],
};

export class Meter {
  #bytes = 0;
  readonly #format: Format;
  readonly #isEventStream: boolean;
  /** Taken for the first event that may matter: for most of its life a stream does without, which is a kilobyte each. */
  #events: EventUsage | null = null;
  readonly #document: UsageDocument | null;

  constructor(format: Format, kind: BodyKind) {
    this.#format = format;
    this.#isEventStream = kind === 'sse';
    this.#document = kind === 'json' && format !== 'opaque' ? new UsageDocument(null) : null;
  }

  /** Bytes passed so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Nothing or a whole event was last: what is written now is read as an event of its own. Always true for other kinds. */
  get atEventBoundary(): boolean {
    return this.#events === null || this.#events.scanner.atBoundary;
  }

  /** The event that ends a stream of this format has passed. Always false for other kinds. */
  get sawTerminalEvent(): boolean {
    return this.#events?.sawTerminal === true;
  }

  /** What `usage()` says is not only what the stream began with. Always true for other kinds. */
  get sawFinalUsage(): boolean {
    return this.#events === null || this.#events.sawFinalUsage;
  }

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#isEventStream) this.#pushEvents(bytes);
    else if (this.#document !== null) this.#document.push(bytes, 0, bytes.length);
  }

  /** What was reported up to now; null when nothing was, or only in an event or document that was cut. */
  usage(): Usage | null {
    if (this.#events !== null) return this.#events.usage();
    if (this.#document?.complete !== true) return null;
    return this.#document.rootUsage.toUsage(USAGE_FORMS[this.#format]);
  }

  /** The last word: `usage()`. Nothing is pushed and nothing asked any more, except for `bytes`. */
  close(): Usage | null {
    const usage = this.usage();
    if (this.#events !== null) giveBack(this.#format, this.#events);
    this.#events = null;
    return usage;
  }

  #pushEvents(bytes: Uint8Array): void {
    const events = this.#events;
    let at = 0;
    if (events !== null && !events.scanner.atBoundary) at = events.scanner.push(bytes, 0, true);
    if (at < bytes.length) {
      const skippable = this.#wholeEventsThatCannotMatter(bytes, at, events?.sawTerminal === true);
      if (skippable > at) {
        events?.scanner.skipped();
        at = skippable;
      }
    }
    if (at < bytes.length) (events ?? this.#readEvents(this.#bytes > bytes.length - at)).scanner.push(bytes, at, false);
  }

  /** @param behindOthers whole events have passed already */
  #readEvents(behindOthers: boolean): EventUsage {
    const events = SPARE[this.#format].pop() ?? new EventUsage(this.#format);
    if (behindOthers) events.scanner.skipped();
    this.#events = events;
    return events;
  }

  /**
   * The fast path: most reads are whole events that hold none of the needles, and a few native searches prove it. Returns where
   * the last whole event before the first needle ends, or `from`.
   */
  #wholeEventsThatCannotMatter(bytes: Uint8Array, from: number, sawTerminal: boolean): number {
    const end = lastBlankLine(bytes, from, bytes.length);
    if (end <= from) return from;
    let needle = this.#format === 'opaque' ? end : usageNeedle(bytes, from, end);
    if (!sawTerminal) {
      for (const terminal of TERMINAL_NEEDLES[this.#format]) {
        const at = find(bytes, terminal, from);
        if (at >= 0 && at < needle) needle = at;
      }
    }
    return needle === end ? end : lastBlankLine(bytes, from, needle);
  }
}

/**
 * Most streams need one for their last read only. Made anew each time they were a tenth of a short request's processor time
 * and a fifth of its garbage; one that was just used is in the cache, too.
 */
const SPARE: Record<Format, EventUsage[]> = { chat: [], responses: [], messages: [], opaque: [] };
const SPARE_MAX = 64;

function giveBack(format: Format, events: EventUsage): void {
  if (SPARE[format].length >= SPARE_MAX) return;
  events.reset();
  SPARE[format].push(events);
}

/** The end of the last blank line up to `end`, or `from`; a line that begins at `from` is no blank line's end. */
function lastBlankLine(bytes: Uint8Array, from: number, end: number): number {
  if (bytes[end - 1] === LF && end - from >= 4) {
    if (bytes[end - 2] === LF) return end;
    if (bytes[end - 2] === CR && bytes[end - 3] === LF && bytes[end - 4] === CR) return end;
  }
  const lf = findLast(bytes, BLANK_LF, end - BLANK_LF.length);
  const crlf = findLast(bytes, BLANK_CRLF, end - BLANK_CRLF.length);
  return Math.max(from, lf < from ? from : lf + BLANK_LF.length, crlf < from ? from : crlf + BLANK_CRLF.length);
}

/** The first `"usage"` whose value may be an object, or `end`. OpenAI sends `"usage":null` with each event but the last. */
function usageNeedle(bytes: Uint8Array, from: number, end: number): number {
  let at = find(bytes, USAGE_KEY, from);
  while (at >= 0 && at < end) {
    let value = at + USAGE_KEY.length;
    if (bytes[value++] !== 0x3a) return at;
    if (bytes[value] === 0x20) value++;
    if (bytes[value] !== 0x6e || bytes[value + 1] !== 0x75 || bytes[value + 2] !== 0x6c || bytes[value + 3] !== 0x6c)
      return at;
    at = find(bytes, USAGE_KEY, value);
  }
  return end;
}

// Buffer's search is native, takes a needle of several bytes and works on any Uint8Array.
function find(bytes: Uint8Array, needle: Buffer, from: number): number {
  return Buffer.prototype.indexOf.call(bytes, needle, from);
}

function findLast(bytes: Uint8Array, needle: Buffer, from: number): number {
  return from < 0 ? -1 : Buffer.prototype.lastIndexOf.call(bytes, needle, from);
}
