/** A received request, and the bounded log of requests that tests read and wait for. */
import { type Form, parseForm } from './form.ts';

/**
 * finished: the kernel took everything that the scenario sends, wrong framing included. client_closed: the peer closed first.
 * fault: the mock ended it, by `refuse`, `reset`, `end_early` or its own stop.
 */
export type ExchangeEnd = 'finished' | 'client_closed' | 'fault';

export interface ReceivedRequest {
  /** From 1, in the order in which requests were complete. */
  readonly sequence: number;
  /** From 1, in the order of connections; equal numbers mean the same socket. */
  readonly connectionId: number;
  readonly method: string;
  /** As received, query included. */
  readonly path: string;
  /** As received: order, case and repetitions. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** The first header of this name, in any case. */
  get(name: string): string | undefined;
  readonly body: Uint8Array;
  readonly text: string;
  /** The body as JSON; undefined when it is not JSON. */
  readonly json: unknown;
  /** The body as a form; undefined when it is not a form. */
  readonly form: Form | undefined;
  /** Bytes of the answer's body, without framing, that the kernel has taken so far. */
  readonly bytesSent: number;
  /** Backpressure: the kernel takes no more of the answer at present. */
  readonly paused: boolean;
  /** How it ended; undefined while it goes on. */
  readonly end: ExchangeEnd | undefined;
  readonly closed: Promise<ExchangeEnd>;
}

export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly version: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export class RecordedRequest implements ReceivedRequest {
  sequence = 0;
  bytesSent = 0;
  paused = false;
  end: ExchangeEnd | undefined;
  readonly closed: Promise<ExchangeEnd>;
  readonly #settle: (end: ExchangeEnd) => void;
  #json: { value: unknown } | undefined;
  #form: { value: Form | undefined } | undefined;

  constructor(
    readonly head: RequestHead,
    readonly body: Uint8Array,
    readonly connectionId: number,
  ) {
    const { promise, resolve } = Promise.withResolvers<ExchangeEnd>();
    this.closed = promise;
    this.#settle = resolve;
  }

  get method() {
    return this.head.method;
  }
  get path() {
    return this.head.path;
  }
  get headers() {
    return this.head.headers;
  }
  get text() {
    return Buffer.from(this.body.buffer, this.body.byteOffset, this.body.byteLength).toString('utf8');
  }

  get json(): unknown {
    this.#json ??= { value: this.form ? undefined : parseJson(this.text) };
    return this.#json.value;
  }

  get form(): Form | undefined {
    this.#form ??= { value: parseForm(this.get('content-type') ?? '', this.body) };
    return this.#form.value;
  }

  get(name: string): string | undefined {
    return headerOf(this.head, name);
  }

  settle(end: ExchangeEnd): void {
    if (this.end) return;
    this.end = end;
    this.paused = false;
    this.#settle(end);
  }
}

export function headerOf(head: RequestHead, name: string): string | undefined {
  const wanted = name.toLowerCase();
  return head.headers.find(([given]) => given.length === wanted.length && given.toLowerCase() === wanted)?.[1];
}

/** The newest `requestsMax` requests, and the tests that wait for one. */
export class RequestLog {
  readonly requests: RecordedRequest[] = [];
  readonly #waiting = new Set<{ matches: Predicate; resolve: (request: ReceivedRequest) => void }>();
  #sequence = 0;

  constructor(readonly requestsMax: number) {}

  add(request: RecordedRequest): void {
    request.sequence = ++this.#sequence;
    if (this.requestsMax > 0) this.requests.push(request);
    // Half of twice the bound at once: a shift per request would move the whole array each time.
    if (this.requests.length > 2 * this.requestsMax) this.requests.splice(0, this.requests.length - this.requestsMax);
    for (const waiter of this.#waiting) {
      if (!waiter.matches(request)) continue;
      this.#waiting.delete(waiter);
      waiter.resolve(request);
    }
  }

  /** The first request, past or future, that matches. */
  wait(matches: Predicate): Promise<ReceivedRequest> {
    const known = this.requests.find(matches);
    if (known) return Promise.resolve(known);
    return new Promise((resolve) => this.#waiting.add({ matches, resolve }));
  }

  clear(): void {
    this.requests.length = 0;
  }
}

type Predicate = (request: ReceivedRequest) => boolean;

function parseJson(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
