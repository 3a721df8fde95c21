/**
 * A scenario: one JSON object that says how the mock answers one request.
 *
 * Every field is optional; a scenario names only what differs from a well-behaved server. The parser (scenario-parser.ts)
 * refuses unknown fields: with a misspelt one a fault test would silently become a test of the happy path.
 */

/** How the body is delimited on the wire. The first three are usual, `trailers` to `http10` unusual, the rest invalid HTTP. */
export const FRAMINGS = [
  /** Transfer-Encoding: chunked, one chunk per piece. The default for streams. */
  'chunked',
  /** Content-Length. The default for everything else. */
  'length',
  /** Neither: the end of the connection is the end of the body. */
  'close',
  /** Chunked, with two trailer fields after the last chunk. */
  'trailers',
  /** Chunked, with an extension on every chunk, and sizes in upper case with leading zeros. */
  'chunk_extensions',
  /** Chunked, with bare LF instead of CRLF in head and chunk lines. */
  'lf_only',
  /** An HTTP/1.0 status line, closed by the end of the connection. */
  'http10',
  /** Content-Length is larger than the body by 10; then FIN. */
  'length_short',
  /** Content-Length is smaller than the body by up to 10; the rest follows it on the open connection. */
  'length_long',
  /** Content-Length and Transfer-Encoding: chunked at once; the body is chunked. */
  'both',
  /** Chunked; after the whole body a chunk size that is not a number, then a valid end. */
  'bad_chunk_size',
  /** Chunked; after the whole body a chunk that announces 10 bytes more than follow, then FIN. */
  'short_chunk',
  /** Not HTTP at all: another protocol's greeting, then FIN. */
  'garbage',
] as const;
export type Framing = (typeof FRAMINGS)[number];

export const FAULT_KINDS = [
  /** Reads the request and sends RST instead of an answer. */
  'refuse',
  /** Reads the request and never sends a head; the connection stays open. */
  'hang',
  /** RST after `after_bytes` bytes of the body. */
  'reset',
  /** FIN after `after_bytes` bytes of the body, without its end (with framing `close` FIN is the end). */
  'end_early',
  /** Nothing more after `after_bytes` bytes of the body; the connection stays open. */
  'silence',
  /** A complete keep-alive answer, and then FIN at once. */
  'close_idle',
  /** A complete keep-alive answer; the next request on the connection gets RST: a stale pooled connection, without a race. */
  'reset_next',
] as const;
type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Bytes of the body (after gzip, without HTTP framing) before `reset`, `end_early`, `silence`. Default 0: just the head. */
  readonly after_bytes?: number;
}

export interface ToolCall {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface Scenario {
  // --- head
  /** Default 200. */
  readonly status?: number;
  /** Replaces the default; '' sends none. */
  readonly content_type?: string;
  /**
   * Added to the head unchanged, in this order. A `content-type` or `cache-control` here replaces the default one; a
   * `content-length` or `transfer-encoding` is sent besides the real one, for more kinds of invalid framing.
   */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Number of 1xx heads before the real one, alternating 100 and 103. */
  readonly interim?: number;

  // --- body: at most one of these eight; without any, what a small real server would answer
  /**
   * A file of the replay folder, byte for byte. `.sse` is text/event-stream and is sent event by event, at its recorded pace
   * if it has a timing file and no field here sets another.
   */
  readonly replay?: string;
  readonly body?: string;
  readonly body_base64?: string;
  readonly json?: unknown;
  /** Length of a binary body whose bytes can be verified (binary.ts), created while it is sent: downloads of any size. */
  readonly bytes?: number;
  /** Sends the request back as JSON: method, path, headers, length and SHA-256 of the body, fields and files of a form. */
  readonly echo?: boolean;
  /** Number of generated token events, each with `"i":<number from 0>,"t":<monotonic ns of its creation>`. See `text`. */
  readonly events?: number;
  /**
   * A sentence, streamed token by token as events of the API that was called (chat completions, responses or messages).
   * `events` and `text` define a completion: without `"stream": true` the answer is JSON with that content. Transcriptions
   * and runs use them, too. An unknown path answers with chat completion chunks.
   */
  readonly text?: string;

  // --- details of generated answers
  /** Pads every generated token event with `x` up to this many bytes in all. */
  readonly event_bytes?: number;
  /**
   * The answer calls this tool, in the form of the API that was called, unless the last message or item of the request brings
   * the result of a call: then it is the text. So an agent's loop ends.
   */
  readonly tool?: ToolCall;
  /** Whether a chat stream ends with a usage event. Default: as the request's `stream_options.include_usage` says. */
  readonly include_usage?: boolean;
  /** Replaces the usage object, unchanged: explicit zeros, missing or odd fields. */
  readonly usage?: unknown;

  // --- order of events: positions among the token events (for a replay: among all its events), from 0
  /** Swaps these two. */
  readonly reorder?: readonly [number, number];
  readonly drop?: number;
  readonly duplicate?: number;
  /** The stream ends in order after this event: no usage, no `[DONE]`. */
  readonly truncate_after_event?: number;

  // --- time
  /** Before the head (and after interim heads). */
  readonly head_delay_ms?: number;
  /** Between the head and the first byte of the body. */
  readonly first_delay_ms?: number;
  /** Between two pieces of the body; fractions of a millisecond count on average. */
  readonly pace_ms?: number;
  /**
   * The piece that `pace_ms` is for: an event (or a piece of `split`), a single byte, or none. Default 'event'. `recorded`
   * sends head and events of a `replay` at the times of its timing file; the default for a replay with one.
   */
  readonly pace?: 'event' | 'byte' | 'none' | 'recorded';
  /** Factor of the recorded pace; 2 is twice as fast. Default 1. */
  readonly speed?: number;

  // --- pieces: each is one write (and one chunk), with an iteration of the event loop before the next
  /** Cuts the body every n bytes. */
  readonly split?: number;
  /** Cuts the body at these offsets. */
  readonly split_at?: readonly number[];
  /** Cuts all bytes on the wire, head and chunk lines included, every n bytes; chunks stay unchanged. */
  readonly wire_split?: number;

  // --- wire
  readonly framing?: Framing;
  /** Compresses the body, with `content-encoding: gzip`. */
  readonly gzip?: boolean;
  readonly fault?: Fault;
}
