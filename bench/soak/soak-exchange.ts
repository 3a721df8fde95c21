/**
 * A request of the soak and its answer, as a client sees it: compares the body with what upstream sent as it comes, and tells
 * in the end what was seen.
 */
import { BREAK_MESSAGE } from '../../src/formats/format.ts';
import type { Carried, ErrorKind, Failure, StreamEnding } from '../../src/load/connection.ts';
import type { ResponseHead } from '../../src/upstream/http1-head.ts';
import { UPSTREAM_KEY } from './config-file.ts';
import type { Saw } from './explanation.ts';
import type { CredentialsOf } from './keys.ts';
import { type ClientOutcome, nowMs } from './outcome.ts';
import type { RequestToSend } from './planned-request.ts';

/** What is held of a body that is not compared as it comes, or from where it differs. */
const HELD_BYTES_MAX = 256 * 1024;
/** Contract, section 1; framing and what downloads keep included. */
const HEADERS = new Set([
  ...['content-type', 'cache-control', 'x-request-id', 'x-quota-allowed', 'x-quota-available', 'x-quota-reset'],
  ...['x-bve-latency', 'date', 'transfer-encoding', 'content-length', 'connection', 'content-disposition'],
]);
/** On errors only. */
const ERROR_HEADERS = new Set([
  'retry-after',
  'retry-after-ms',
  'x-should-retry',
  'request-id',
  'allow',
  'www-authenticate',
]);

export class SoakExchange implements Carried {
  readonly request: Buffer;
  readonly bodiless: boolean;
  readonly readsSlowly: boolean;
  attempts = 0;
  sentUs = 0;
  progressUs = 0;
  ending: StreamEnding | undefined;
  failure: Failure | undefined;
  /** A reader that stops does so once. */
  hasStopped = false;
  /** The request before it on its connection. */
  behind: string | null = null;
  readonly requestId: string;
  readonly #send: RequestToSend;
  readonly #credentials: CredentialsOf;
  readonly #requestBytes: number;
  readonly #leavesAtBytes: number;
  #sentMs = nowMs();
  #headMs: number | null = null;
  #status = 0;
  #bytes = 0;
  /** Where the body differs from what upstream sent; −1: nowhere. */
  #differsAt = -1;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #isWhole = false;
  #complaint: string | null = null;

  constructor(requestId: string, send: RequestToSend, credentials: CredentialsOf) {
    this.requestId = requestId;
    this.#send = send;
    this.#credentials = credentials;
    const { behaviour, kind } = send.plan;
    const whole = send.bytes(requestId, credentials.text);
    this.#requestBytes = whole.length;
    const isCut = behaviour.does === 'leave' && behaviour.at === 'sending';
    this.request = isCut ? whole.subarray(0, 1 + Math.floor(behaviour.share * (whole.length - 2))) : whole;
    this.bodiless = kind.method === 'HEAD';
    this.readsSlowly = behaviour.does === 'slow' || behaviour.does === 'stop';
    this.#leavesAtBytes = leavesAt(send);
  }

  get plan() {
    return this.#send.plan;
  }

  /** The connection cannot be used again: half a request stands on it, or its end was asked for, whatever the answer says. */
  get closes(): boolean {
    return this.#send.asksToClose || this.request.length < this.#requestBytes;
  }

  /** It is written now: the time for the ledger, behind that in which the request was planned. */
  begins(): void {
    this.#sentMs = nowMs();
  }

  get abandoned(): boolean {
    return this.#status === 200 && this.#bytes >= this.#leavesAtBytes;
  }

  arrivedAt(atUs: number): void {
    this.progressUs = atUs;
  }

  head({ status, headers }: ResponseHead): void {
    this.#headMs = nowMs();
    this.#status = status;
    for (const name of headers.keys()) {
      if (!HEADERS.has(name) && !(status >= 400 && ERROR_HEADERS.has(name)))
        this.#complain(`header ${name} was not stripped`);
    }
    const { kind } = this.plan;
    const isRelayed = status === 200 && kind.check !== 'own';
    if (isRelayed && !/^\d+$/.test(headers.get('x-bve-latency') ?? '')) this.#complain('x-bve-latency is missing');
    const isStream = /^text\/event-stream/.test(headers.get('content-type') ?? '');
    if (isRelayed && isStream !== (kind.form === 'sse')) this.#complain('the content type is not that of upstream');
    const id = headers.get('x-request-id');
    if (id !== null && id !== this.requestId) this.#complain(`x-request-id is ${id}`);
  }

  /** The bytes are valid during the call only. */
  data(bytes: Uint8Array): void {
    const { plan, reference } = this.#send;
    const at = this.#bytes;
    this.#bytes += bytes.length;
    const isCompared = this.#status === 200 && plan.kind.check === 'exact';
    if (!isCompared || this.#differsAt >= 0) {
      this.#hold(bytes);
      return;
    }
    const expected = reference.subarray(at, at + bytes.length);
    if (expected.length === bytes.length && expected.equals(bytes)) return;
    let same = 0;
    while (same < expected.length && expected[same] === bytes[same]) same++;
    this.#differsAt = at + same;
    this.#hold(bytes.subarray(same));
  }

  fail(kind: ErrorKind, message: string): void {
    this.failure ??= { kind, message };
  }

  answered(): void {
    this.#isWhole = true;
  }

  cutOff(): void {
    this.fail('reset', 'the connection was closed');
  }

  outcome(): ClientOutcome {
    const saw = this.#saw();
    const text = Buffer.concat(this.#held).toString('utf8');
    const breakAt = text.includes(BREAK_MESSAGE) && this.#status === 200 ? this.#breakAt(text) : -1;
    // A client may also leave just then.
    const isBroken = breakAt >= 0;
    const isInterrupted = saw === 'complete' && isBroken;
    const bodyBytes = isBroken ? breakAt : this.#bytes;
    if (this.failure?.kind === 'framing') this.#complain(this.failure.message);
    this.#checkBody(saw, isBroken, bodyBytes, text);
    const { code, message } = this.#status >= 400 ? errorOf(text) : { code: null, message: null };
    return {
      requestId: this.requestId,
      plan: this.plan,
      keyId: this.#credentials.keyId,
      secret: this.#credentials.secret,
      sentMs: this.#sentMs,
      headMs: this.#headMs,
      endMs: nowMs(),
      saw: isInterrupted ? 'interrupted' : saw,
      status: this.#status,
      errorCode: code,
      errorMessage: message,
      bodyBytes,
      complaint: this.#complaint,
      upstreamKey: this.plan.kind.check === 'echo' && isWholeJson(text) ? upstreamKeyOf(text) : null,
      behind: this.behind,
    };
  }

  #saw(): Saw {
    if (this.ending === 'abandoned' || this.ending === 'interrupted') return 'left';
    if (this.failure?.kind === 'unfinished') return 'unfinished';
    if (this.#isWhole) return 'complete';
    if (this.failure?.kind === 'connect') return 'refused';
    return this.#headMs === null ? 'unanswered' : 'reset';
  }

  /** Where the gateway's error event begins: behind the last whole event of upstream. */
  #breakAt(text: string): number {
    const { eventEnds } = this.#send;
    if (this.#differsAt >= 0) return eventEnds.findLast((end) => end <= this.#differsAt) ?? 0;
    const at = text.indexOf(BREAK_MESSAGE);
    const end = text.lastIndexOf('\n\n', at);
    return end < 0 ? 0 : Buffer.byteLength(text.slice(0, end + 2));
  }

  #checkBody(saw: Saw, isBroken: boolean, bodyBytes: number, text: string): void {
    const { plan, reference, bodySha256 } = this.#send;
    if (this.#status !== 200 || this.bodiless || this.#headMs === null) return;
    const { check } = plan.kind;
    const isComplete = saw === 'complete' && !isBroken;
    if (check === 'exact') {
      if (this.#differsAt >= 0 && !isBroken) this.#complain(`byte ${this.#differsAt} is not upstream's`);
      else if (isComplete && !plan.mayBeShort && bodyBytes !== reference.length)
        this.#complain(`${bodyBytes} bytes of ${reference.length} came, and then the end in order`);
    } else if (check === 'numbered') {
      const expected = withoutTimes(reference.toString('utf8'));
      const got = withoutTimes(isBroken ? text.slice(0, bodyBytes) : text);
      const isRight = isComplete && !plan.mayBeShort ? got === expected : expected.startsWith(withoutLastTime(got));
      if (!isRight) this.#complain(`the events are not those of upstream in their order`);
    } else if (isComplete && plan.fault !== 'none' && !isWholeJson(text)) {
      if (!plan.mayBeShort) this.#complain('the answer is complete, but it is not JSON');
    } else if (isComplete && check === 'echo') {
      if (plan.fault !== 'framing length_long' && !text.includes(`"body_sha256":"${bodySha256}"`))
        this.#complain('upstream got another request body');
    } else if (isComplete && check === 'legacy') {
      if (!plan.mayBeShort && !/"id":"cmpl-.*"object":"text_completion"/s.test(text))
        this.#complain('not a legacy completion');
    }
  }

  #hold(bytes: Uint8Array): void {
    if (this.#heldBytes > HELD_BYTES_MAX) return;
    this.#held.push(Buffer.from(bytes));
    this.#heldBytes += bytes.length;
  }

  #complain(text: string): void {
    this.#complaint ??= text;
  }
}

function leavesAt({ plan: { behaviour, kind }, reference, eventEnds }: RequestToSend): number {
  if (behaviour.does !== 'leave' || kind.form !== 'sse') return Number.POSITIVE_INFINITY;
  if (behaviour.at === 'end') return reference.length;
  if (behaviour.at !== 'reading') return Number.POSITIVE_INFINITY;
  return eventEnds[Math.floor(behaviour.share * (eventEnds.length - 1))]!;
}

function withoutTimes(text: string): string {
  return text.replace(/"t":\d+/g, '"t":0');
}

/** An answer may break off within a time. */
function withoutLastTime(text: string): string {
  return text.replace(/"t":0$/, '"t":');
}

function isWholeJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** An echo tells the key that its target was sent. */
function upstreamKeyOf(text: string): number | null {
  const version = UPSTREAM_KEY.exec(text)?.[1];
  return version === undefined ? null : Number(version);
}

/** OpenAI's envelope, or Anthropic's, which has no code. */
function errorOf(text: string): { readonly code: string | null; readonly message: string | null } {
  try {
    const { error } = JSON.parse(text) as { error?: { code?: unknown; message?: unknown } };
    return {
      code: typeof error?.code === 'string' ? error.code : null,
      message: typeof error?.message === 'string' ? error.message : null,
    };
  } catch {
    return { code: null, message: null };
  }
}
