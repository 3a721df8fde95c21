/**
 * The upstream client on Bun's fetch. What fetch does by itself and how it is held here (numbers: BUN 1.4.5):
 * - 256 requests in flight per process unless BUN_CONFIG_MAX_HTTP_REQUESTS was set at process start: cli/serve.ts.
 * - an own timeout of five minutes: off, the relay has its own deadlines.
 * - it decodes gzip, br and zstd bodies: `accept-encoding: identity` is sent, and what comes compressed all the same
 *   reaches the sink decoded (content-encoding is on no allow-list, so the client sees plain bytes and no label).
 * - it obeys HTTP_PROXY, HTTPS_PROXY and NO_PROXY: wanted, and named in the start log.
 * - a POST on a pooled connection that upstream has just closed fails with ECONNRESET: sent once more, see below.
 * - it sends a streamed body as it comes, pulled as the kernel takes it, chunked or with a content-length header that is
 *   given, resets the connection when the stream fails, and cancels it when an answer has ended before it. On a pooled
 *   connection that is stale it would be lost: `keepalive: false` gets a connection of its own, closed behind the answer.
 * - it refuses a body for GET and HEAD.
 */
import {
  type BodySink,
  type UpstreamCall,
  type UpstreamClient,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamSink,
} from './client.ts';
import type { HeaderField } from './header-block.ts';
import { StreamedBody } from './streamed-body.ts';

/**
 * A stale pooled connection answers with a reset within a round trip. A reset that comes later may mean that upstream
 * had begun to work on the request (and to charge for it), so it is not sent again.
 */
const STALE_RESET_WITHIN_MS = 1000;

export class FetchClient implements UpstreamClient {
  /**
   * @param baseUrl without a trailing slash
   * @param ca PEM of a CA to trust instead of the built-in ones
   */
  constructor(
    private readonly baseUrl: string,
    private readonly ca?: string,
  ) {}

  send(request: UpstreamRequest, sink: UpstreamSink, signal?: AbortSignal): UpstreamCall {
    const call = new FetchCall(this.baseUrl + request.target, request, sink, this.ca);
    if (signal?.aborted) {
      // Nothing is sent, and nothing is called before this returns.
      queueMicrotask(() => call.abort());
      return call;
    }
    signal?.addEventListener('abort', () => call.abort(), { once: true });
    void call.run();
    return call;
  }

  close(): void {
    // Fetch keeps its pool to itself, and it does not hold the process.
  }
}

class FetchCall implements UpstreamCall {
  private readonly controller = new AbortController();
  private paused = false;
  private over = false;
  private body: BodySink | null = null;
  private wake: (() => void) | undefined;
  private readonly streamed: StreamedBody | null;

  constructor(
    private readonly url: string,
    private request: UpstreamRequest,
    private readonly sink: UpstreamSink,
    private readonly ca: string | undefined,
  ) {
    this.streamed = StreamedBody.of(request);
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    this.paused = false;
    this.wake?.();
    this.wake = undefined;
  }

  abort(): void {
    if (this.over) return;
    this.controller.abort();
    this.resume();
    this.fail(new UpstreamError('aborted', 'The upstream request was aborted'));
  }

  async run(): Promise<void> {
    let response: Response;
    try {
      response = await this.fetchWithOneRetry();
    } catch (error) {
      this.fail(upstreamErrorOf(error));
      return;
    }
    if (this.over) return;
    try {
      await this.pump(response);
    } catch (error) {
      // Not the network, which pump() catches: a sink that throws is a bug of ours and must end this request only.
      this.fail(new UpstreamError('protocol', 'The receiver of the answer failed', { cause: error }));
      this.controller.abort();
    }
  }

  private async fetchWithOneRetry(): Promise<Response> {
    const sentAt = performance.now();
    try {
      return await this.fetchOnce();
    } catch (error) {
      const stale = codeOf(error) === 'ECONNRESET' && performance.now() - sentAt < STALE_RESET_WITHIN_MS;
      if (!stale || this.streamed || this.over) throw error;
      return this.fetchOnce();
    }
  }

  private fetchOnce(): Promise<Response> {
    return fetch(this.url, {
      method: this.request.method,
      headers: this.headers(),
      body: this.request.body as Uint8Array<ArrayBuffer> | null,
      ...(this.streamed ? this.streamedInit(this.streamed) : {}),
      redirect: 'manual',
      signal: this.controller.signal,
      timeout: false,
      ...(this.ca ? { tls: { ca: this.ca } } : {}),
    } as BunFetchRequestInit);
  }

  private headers(): [string, string][] {
    const { common, headers } = this.request;
    const bytes = this.streamed?.bytes;
    const length: HeaderField[] = bytes === undefined ? [] : [['content-length', String(bytes)]];
    return [...(common?.fields ?? []), ...headers, ...length] as [string, string][];
  }

  /** @throws Error when the stream cannot be sent */
  private streamedInit(body: StreamedBody): object {
    body.open();
    return {
      // Nothing is pulled ahead of what is sent.
      body: new ReadableStream(
        { pull: (out) => this.feed(body, out), cancel: () => body.cancel() },
        { highWaterMark: 0 },
      ),
      duplex: 'half',
      keepalive: false,
    };
  }

  private async feed(body: StreamedBody, out: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      const piece = await body.read();
      // Not closed, which would make a whole request of it.
      if (body.cancelled) out.error(new Error('the request body was cancelled'));
      else if (piece) out.enqueue(piece);
      else out.close();
    } catch (error) {
      this.controller.abort();
      this.fail(error instanceof UpstreamError ? error : upstreamErrorOf(error));
    }
  }

  private async pump(response: Response): Promise<void> {
    // Nothing is sent again once an answer has begun, and a long stream must not hold on to its prompt.
    this.request = { ...this.request, body: null };
    const body = this.sink.head(response.status, response.headers);
    this.body = body;
    const reader = response.body?.getReader();
    while (!this.over) {
      let read: Bun.ReadableStreamDefaultReadResult<Uint8Array> | undefined;
      try {
        read = await reader?.read();
      } catch (error) {
        this.fail(upstreamErrorOf(error));
        return;
      }
      if (this.over) return;
      if (!read || read.done) {
        this.over = true;
        this.streamed?.cancel();
        body.end();
        return;
      }
      body.data(read.value);
      if (this.paused) await new Promise<void>((resolve) => this.onResume(resolve));
    }
  }

  private onResume(resolve: () => void): void {
    this.wake = resolve;
  }

  private fail(error: UpstreamError): void {
    if (this.over) return;
    this.over = true;
    this.streamed?.cancel();
    try {
      (this.body ?? this.sink).fail(error);
    } catch {
      // A bug of ours in the very last call: nobody is left to be told, and an unhandled rejection would end the process.
    }
  }
}

const UNREACHABLE_CODES = new Set([
  'ECONNREFUSED',
  'ConnectionRefused',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  // The TLS handshake failed: this port speaks something else.
  'EPROTO',
]);
const RESET_CODES = new Set(['ECONNRESET', 'EPIPE', 'ConnectionClosed']);

function upstreamErrorOf(error: unknown): UpstreamError {
  const code = codeOf(error);
  // The original message names the upstream URL; it belongs in the log (as the cause), not in the answer.
  if (RESET_CODES.has(code)) return new UpstreamError('reset', 'Upstream closed the connection', { cause: error });
  if (UNREACHABLE_CODES.has(code) || /CERT|TLS|SSL|SIGNED|ALTNAME/i.test(code)) {
    return new UpstreamError('unreachable', 'Upstream cannot be reached', { cause: error, safeToResend: true });
  }
  return new UpstreamError('protocol', 'Upstream sent an invalid answer', { cause: error });
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
}
