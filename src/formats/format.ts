/**
 * What the gateway has to know of one API's answers. Each API is one object in a file of its own (chat.ts, responses.ts,
 * messages.ts …); everything else in the gateway works with any of them.
 */
import type { UsageCounts, UsageForm } from './usage-counts.ts';
import type { UsageDocument } from './usage-document.ts';

/** What the whole events of one stream have said so far. */
export interface StreamFacts {
  readonly counts: UsageCounts;
  /** The event that ends a stream of this format has passed, its blank line included. */
  sawTerminal: boolean;
  /** The answer's last content has passed: upstream has nothing more to generate. */
  contentEnded: boolean;
  /** The counts are those of the whole answer, not what the stream has used up to now. */
  usageIsFinal: boolean;
  /** Upstream reported an error inside the stream. */
  errorCode: string | null;
  /** Of the last event that had one, else -1. */
  sequenceNumber: number;
}

/** One whole event, readable until `read` returns. */
export interface WireEvent {
  /** The data is `[DONE]`, or begins with it. */
  readonly isDone: boolean;
  /** The JSON object in the data; worth something only when it is `complete`. */
  readonly document: UsageDocument;
  /** The data, or null when it is longer than `EVENT_DATA_BYTES_MAX`. */
  readonly json: Uint8Array | null;
  /** The event is called so, by its `event:` field or by the `type` in its data. */
  is(name: Uint8Array): boolean;
  startsWith(name: Uint8Array): boolean;
}

export interface Format {
  /** Whether its events are read at all, for usage and for how the stream ends. */
  readonly readsEvents: boolean;
  /** How usage is counted; null when it is not, because it is counted elsewhere or never reported. */
  readonly usageForm: UsageForm | null;
  /** Usage may also stand in this member of the root object (`response.usage`). */
  readonly usageParent: Uint8Array | null;
  /** In a stream that ended in order the last usage stands for all of it, whatever event it was in. */
  readonly lastUsageIsFinal: boolean;
  /** An event with none of these bytes in it, and none of `keysThatMatter`, says nothing. */
  readonly needles: readonly Buffer[];
  /** Keys that many events have with the value null, which says nothing either. */
  readonly keysThatMatter: readonly Buffer[];
  /** Each event has a sequence number, and so has the one that reports a break. */
  readonly sequenced: boolean;
  /** Takes note of what a whole event says. */
  read(event: WireEvent, facts: StreamFacts): void;
  /**
   * The event that closes a stream which upstream broke off (contract, section 1), in the form in which the API's SDKs
   * raise an error instead of taking a part for the whole.
   */
  breakEvent(nextSequenceNumber: number): Uint8Array;
  /** What keeps a silent stream open (STREAM_HEARTBEAT_MS), in a form that no SDK of the API takes for content. */
  readonly heartbeat: Uint8Array;
}

export const BREAK_CODE = 'upstream_stream_interrupted';
export const BREAK_MESSAGE = 'The upstream connection broke before the answer was complete';
const encoder = new TextEncoder();

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

/** A comment (WHATWG HTML, 9.2.6). */
export const PING_COMMENT = encoder.encode(': ping\n');

export function eventBytes(name: string | null, data: object): Uint8Array {
  return encoder.encode(`${name ? `event: ${name}\n` : ''}data: ${JSON.stringify(data)}\n\n`);
}
