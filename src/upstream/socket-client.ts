/**
 * The upstream client: HTTP/1.1 over Bun.connect, in the thread of the gateway, directly or through a proxy's tunnel. A
 * chunk costs no promise, no second thread and no copy, and nothing bounds the requests in flight in silence.
 *
 * TLS is verified, chain and host name; with FUELIX_CA_FILE against that CA instead of the built-in ones.
 */
import { rootCertificates } from 'node:tls';
import {
  type UpstreamCall,
  type UpstreamClient,
  UpstreamError,
  type UpstreamRequest,
  type UpstreamSink,
} from './client.ts';
import { ConnectAttempts } from './connect-attempts.ts';
import { dialTo, type UpstreamEndpoint } from './dial.ts';
import { Pool } from './pool.ts';
import { type HttpProxy, hostnameOf, portOf } from './proxy.ts';
import { type RequestBytes, requestBytes } from './request-bytes.ts';
import { SocketCall } from './socket-call.ts';
import { StreamedBody } from './streamed-body.ts';

interface SocketClientOptions {
  readonly connectTimeoutMs: number;
  readonly idleConnectionsMax: number;
  readonly idleLimitMs: number;
  readonly ageMaxMs: number;
  /** PEM of a CA to trust instead of the built-in ones. */
  readonly ca?: string | undefined;
  /** Null or left out: upstream is reached directly. */
  readonly proxy?: HttpProxy | null;
}

export class SocketClient implements UpstreamClient {
  readonly #pool: Pool;
  /** Of connections without a bound on what the kernel holds of an answer. */
  readonly #bulkPool: Pool;
  readonly #basePath: string;
  readonly #host: string;

  /** @param baseUrl without a trailing slash */
  constructor(baseUrl: string, options: SocketClientOptions) {
    const url = new URL(baseUrl);
    this.#basePath = url.pathname === '/' ? '' : url.pathname;
    this.#host = url.host;
    const endpoint = endpointOf(url, options);
    const { idleConnectionsMax: idleMax, idleLimitMs, ageMaxMs } = options;
    const attempts = new ConnectAttempts();
    this.#pool = new Pool(dialTo(endpoint), { idleMax, idleLimitMs, ageMaxMs }, attempts);
    this.#bulkPool = new Pool(dialTo({ ...endpoint, bulk: true }), { idleMax, idleLimitMs, ageMaxMs }, attempts);
  }

  send(request: UpstreamRequest, sink: UpstreamSink, signal?: AbortSignal): UpstreamCall {
    const call = new SocketCall(request.bulk ? this.#bulkPool : this.#pool, request, sink);
    const streamed = StreamedBody.of(request);
    if (streamed) call.upload(streamed);
    const bytes = this.#bytesOf(request, streamed);
    if (signal?.aborted) queueMicrotask(() => call.abort());
    else if (bytes instanceof UpstreamError) queueMicrotask(() => call.broken(bytes));
    else {
      signal?.addEventListener('abort', call, ONCE);
      call.start(bytes);
    }
    return call;
  }

  close(): void {
    this.#pool.close();
    this.#bulkPool.close();
  }

  #bytesOf(request: UpstreamRequest, streamed: StreamedBody | null): RequestBytes | UpstreamError {
    try {
      streamed?.open();
      return requestBytes(request, this.#basePath, this.#host);
    } catch (error) {
      return new UpstreamError('protocol', 'The request cannot be sent', { cause: error });
    }
  }
}

const ONCE = { once: true };

function endpointOf(url: URL, { connectTimeoutMs, ca, proxy = null }: SocketClientOptions): UpstreamEndpoint {
  const hostname = hostnameOf(url);
  return {
    hostname,
    port: portOf(url),
    tls: url.protocol === 'https:' ? tlsOptions(hostname, ca) : undefined,
    proxy,
    // The proxy's certificate need not come from upstream's CA.
    proxyTls: proxy?.secure ? tlsOptions(proxy.hostname, ca && [ca, ...rootCertificates]) : undefined,
    connectTimeoutMs,
    bulk: false,
  };
}

function tlsOptions(serverName: string, ca: string | string[] | undefined): Bun.TLSOptions {
  return { rejectUnauthorized: true, serverName, ...(ca ? { ca } : {}) };
}
