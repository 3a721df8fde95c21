/**
 * Judges the events of a chat stream one after the other, as their bytes come: whether an event carries its usage and no other
 * data. Its `choices` are absent, null or empty, `usage` is an object, and every other member is a label or empty.
 */
import { JSON_ARRAY, JSON_NULL, JSON_OBJECT } from './json-grammar.ts';
import { JsonScanner } from './json-scanner.ts';
import type { JsonSink } from './json-sink.ts';
import { isWritten } from './json-text.ts';
import { type EventSink, SseScanner } from './sse.ts';

/** What describes the stream, whatever the event carries. `obfuscation` is padding that hides the length of others. */
const LABELS = [
  'id',
  'object',
  'created',
  'model',
  'system_fingerprint',
  'service_tier',
  'provider',
  'obfuscation',
].map((name) => Buffer.from(name));
const USAGE = Buffer.from('usage');

export const NO_EVENT = -1;

// Which value is looked into.
const OUTSIDE = 0;
const IN_ROOT = 1;
/** Empty, or the event carries data. */
const IN_OTHER = 2;

export class UsageOnlyEvent implements EventSink, JsonSink {
  readonly scanner = new SseScanner(this);
  /** Where in the bytes pushed last the event at hand begins; NO_EVENT between two. */
  from = NO_EVENT;
  /** It carries something else, whatever follows. */
  hasOther = false;
  readonly #json = new JsonScanner(this);
  #level = OUTSIDE;
  #nameIsUsage = false;
  #hasUsage = false;

  /** Of a whole event, or one that lacks nothing but its line ends. */
  get isUsageOnly(): boolean {
    return !this.hasOther && this.#hasUsage && this.#json.complete;
  }

  begin(at: number): void {
    this.from = at;
    this.hasOther = false;
    this.#json.reset();
    this.#level = OUTSIDE;
    this.#hasUsage = false;
  }

  data(bytes: Uint8Array, from: number, to: number): void {
    if (this.hasOther) return;
    this.#json.push(bytes, from, to);
    if (this.#json.failed || (this.#json.inWantedString && !this.#nameIsUsage)) this.hasOther = true;
  }

  /** The verdict stands until the next event begins. */
  end(): void {}

  name(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#level === IN_OTHER) {
      this.hasOther = true;
      return false;
    }
    if (LABELS.some((label) => isWritten(bytes, from, to, label))) return false;
    this.#nameIsUsage = isWritten(bytes, from, to, USAGE);
    // Of equal names the last one counts.
    if (this.#nameIsUsage) this.#hasUsage = false;
    return true;
  }

  enter(kind: number): boolean {
    if (this.#level === IN_ROOT && this.#nameIsUsage) {
      this.#hasUsage = kind === JSON_OBJECT;
      return false;
    }
    if (this.#level === IN_OTHER || (this.#level === OUTSIDE && kind === JSON_ARRAY)) {
      this.hasOther = true;
      return false;
    }
    this.#level++;
    return true;
  }

  leave(): void {
    this.#level--;
  }

  value(kind: number): void {
    if (this.#level === IN_ROOT && (this.#nameIsUsage || kind === JSON_NULL)) return;
    this.hasOther = true;
  }
}
