/**
 * A sink that writes down what it is told and checks the order of it: every broken rule of upstream/client.ts is a
 * violation, in whatever test it happens. `takeViolations` belongs into an afterEach.
 */
import {
  type BodySink,
  type ResponseHeaders,
  type UpstreamCall,
  type UpstreamClient,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamSink,
} from '../../src/upstream/client.ts';

/** What a test does while the sink is being told of something. */
export interface Hooks {
  head?(exchange: Observed): void;
  data?(bytes: Uint8Array, exchange: Observed): void;
  end?(exchange: Observed): void;
  fail?(error: UpstreamError, exchange: Observed): void;
}

interface SendOptions extends Hooks {
  readonly signal?: AbortSignal;
}

const violations: string[] = [];

export function takeViolations(): string[] {
  return violations.splice(0);
}

export function send(
  client: UpstreamClient,
  request: Partial<UpstreamRequest> = {},
  { signal, ...hooks }: SendOptions = {},
): Observed {
  const exchange = new Observed(hooks);
  exchange.start(client, { method: 'POST', target: '/chat/completions', headers: [], body: null, ...request }, signal);
  return exchange;
}

export class Observed implements UpstreamSink, UpstreamCall {
  status = 0;
  headers: ResponseHeaders = { get: () => null, keys: () => [] };
  readonly parts: Uint8Array[] = [];
  outcome: 'end' | UpstreamError | undefined;
  readonly gotHead: Promise<void>;
  readonly gotData: Promise<void>;
  readonly over: Promise<this>;
  #call: UpstreamCall | undefined;
  #dataSincePause: number | undefined;
  #headReturned = false;
  readonly #body: BodySink = {
    data: (bytes) => this.#data(bytes),
    end: () => this.#end(),
    fail: (error) => {
      if (!this.#headReturned) violations.push('a failure told to the body before head had returned');
      this.#fail(error);
    },
  };
  readonly #onHead = Promise.withResolvers<void>();
  readonly #onData = Promise.withResolvers<void>();
  readonly #onOver = Promise.withResolvers<this>();

  constructor(public hooks: Hooks) {
    this.gotHead = this.#onHead.promise;
    this.gotData = this.#onData.promise;
    this.over = this.#onOver.promise;
  }

  start(client: UpstreamClient, request: UpstreamRequest, signal?: AbortSignal): void {
    this.#call = client.send(request, this, signal);
  }

  get bytes(): number {
    return this.parts.reduce((sum, part) => sum + part.length, 0);
  }

  get body(): Buffer {
    return Buffer.concat(this.parts);
  }

  /** The kind of the failure; `end` for a whole answer, undefined while it goes on. */
  get ended(): string | undefined {
    return this.outcome instanceof UpstreamError ? this.outcome.kind : this.outcome;
  }

  pause(): void {
    this.#dataSincePause ??= 0;
    this.#call!.pause();
  }

  resume(): void {
    this.#dataSincePause = undefined;
    this.#call!.resume();
  }

  abort(): void {
    this.#call!.abort();
  }

  head(status: number, headers: ResponseHeaders): BodySink {
    this.#expectOpen('head');
    if (this.status !== 0) violations.push('a second head');
    this.status = status;
    this.headers = headers;
    this.#onHead.resolve();
    this.hooks.head?.(this);
    this.#headReturned = true;
    return this.#body;
  }

  #data(bytes: Uint8Array): void {
    this.#expectOpen('data');
    if (this.status === 0) violations.push('data before the head');
    if (bytes.length === 0) violations.push('data without a byte');
    if (this.#dataSincePause !== undefined && ++this.#dataSincePause > 1)
      violations.push('more than one data after pause');
    this.parts.push(new Uint8Array(bytes));
    this.#onData.resolve();
    this.hooks.data?.(bytes, this);
  }

  #end(): void {
    this.#expectOpen('end');
    if (this.status === 0) violations.push('end before the head');
    this.#finish('end');
    this.hooks.end?.(this);
  }

  fail(error: UpstreamError): void {
    if (this.#headReturned) violations.push('a failure of the body told to the sink');
    this.#fail(error);
  }

  #fail(error: UpstreamError): void {
    this.#expectOpen('fail');
    if (!(error instanceof UpstreamError)) violations.push(`fail with ${String(error)}`);
    this.#finish(error);
    this.hooks.fail?.(error, this);
  }

  #finish(outcome: 'end' | UpstreamError): void {
    this.outcome = outcome;
    // Its connection may be used again in the next turn of the event loop.
    setImmediate(() => this.#onOver.resolve(this));
  }

  #expectOpen(what: string): void {
    if (!this.#call) violations.push(`${what} before send returned`);
    if (this.outcome) violations.push(`${what} after ${this.ended}`);
  }
}
