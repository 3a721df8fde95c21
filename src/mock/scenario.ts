/**
 * What a scenario is: one JSON object that says how the mock answers one request.
 *
 * Every field is optional; a scenario names only what differs from a well-behaved server. Strictness is the point: a
 * misspelt field would silently turn a fault test into a test of the happy path, so the parser (scenario-parser.ts)
 * refuses what it does not know.
 */

/** How the body is delimited on the wire. The first three are correct HTTP, `trailers` to `http10` unusual, the rest wrong. */
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
  /** Chunked; after the whole body a chunk size that is no number, then a proper end. */
  'bad_chunk_size',
  /** Chunked; after the whole body a chunk that announces 10 bytes more than follow, then FIN. */
  'short_chunk',
  /** Not HTTP at all: another protocol's greeting, then FIN. */
  'garbage',
] as const;
export type Framing = (typeof FRAMINGS)[number];

export const FAULT_KINDS = [
  /** RST instead of an answer: the request was read, not one byte comes back. */
  'refuse',
  /** The request is read, no head ever comes; the connection stays open. */
  'hang',
  /** RST after `after_bytes` bytes of the body. */
  'reset',
  /** FIN after `after_bytes` bytes of the body, without the proper end (with framing `close` that is a proper end). */
  'end_early',
  /** Nothing more after `after_bytes` bytes of the body; the connection stays open. */
  'silence',
  /** A whole answer that promises keep-alive, and then FIN at once. */
  'close_idle',
  /** A whole answer that promises keep-alive; the next request on that connection gets RST: a stale pooled socket, without a race. */
  'reset_next',
] as const;
type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Bytes of the body (after gzip, without HTTP framing) before `reset`, `end_early`, `silence`. Default 0: just the head. */
  readonly after_bytes?: number;
}

export interface Scenario {
  // --- head
  /** Default 200. */
  readonly status?: number;
  /** Instead of the default for what is sent; '' sends none. */
  readonly content_type?: string;
  /**
   * Added to the head as they are, in this order. A `content-type` or `cache-control` here replaces the default one; a
   * `content-length` or `transfer-encoding` comes on top of the real one, which makes more wrong framings.
   */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** So many 1xx heads before the real one: 100 and 103 in turn. */
  readonly interim?: number;

  // --- body: at most one of these eight; without any, what a small real server would answer
  /**
   * A file of the replay folder, byte for byte. `.sse` is text/event-stream and goes out event by event, at its recorded pace
   * if a timing file stands beside it and nothing here says otherwise.
   */
  readonly replay?: string;
  readonly body?: string;
  readonly body_base64?: string;
  readonly json?: unknown;
  /** So many bytes of noise that can be checked anywhere (binary.ts), made while they are sent: downloads of any size. */
  readonly bytes?: number;
  /** The request told back as JSON: method, path, headers, length and SHA-256 of the body, fields and files of a form. */
  readonly echo?: boolean;
  /** So many generated token events, each with `"i":<number from 0>,"t":<monotonic ns when it was made>`. See `text`. */
  readonly events?: number;
  /**
   * A sentence, streamed token by token as genuine events of the API that was called (chat completions, responses or
   * messages). `events` and `text` shape a completion: when such an endpoint is called without `"stream": true`, the answer
   * is JSON with that content. Transcriptions and runs stream them too. On a path without an answer of its own they are chat
   * completion chunks.
   */
  readonly text?: string;

  // --- details of generated answers
  /** Pads every generated token event with `x` up to this many bytes in all. */
  readonly event_bytes?: number;
  /** Whether a chat stream ends with a usage event. Default: as the request's `stream_options.include_usage` says. */
  readonly include_usage?: boolean;
  /** Stands in for the usage object, as it is: explicit zeros, missing or odd fields. */
  readonly usage?: unknown;

  // --- order of events: positions among the token events (for a replay: among all its events), from 0
  /** These two change places. */
  readonly reorder?: readonly [number, number];
  readonly drop?: number;
  readonly duplicate?: number;
  /** The stream ends properly after this event: no usage, no `[DONE]`. */
  readonly truncate_after_event?: number;

  // --- time
  /** Before the head (and after interim heads). */
  readonly head_delay_ms?: number;
  /** Between the head and the first byte of the body. */
  readonly first_delay_ms?: number;
  /** Between two pieces of the body; fractions of a millisecond are kept on average. */
  readonly pace_ms?: number;
  /**
   * The piece that `pace_ms` counts: an event (or the piece of `split`), a single byte, or nothing. Default 'event'. `recorded`
   * sends head and events of a `replay` when its timing file says, and is the default for a replay that has one.
   */
  readonly pace?: 'event' | 'byte' | 'none' | 'recorded';
  /** The recorded pace, so many times as fast. Default 1. */
  readonly speed?: number;

  // --- pieces: each is a write of its own (and a chunk of its own), and the event loop turns before the next one
  /** Cuts the body every n bytes. */
  readonly split?: number;
  /** Cuts the body at these offsets. */
  readonly split_at?: readonly number[];
  /** Cuts everything that goes over the wire, head and chunk lines included, every n bytes; chunks stay as they are. */
  readonly wire_split?: number;

  // --- wire
  readonly framing?: Framing;
  /** Really compressed, with `content-encoding: gzip`. */
  readonly gzip?: boolean;
  readonly fault?: Fault;
}
