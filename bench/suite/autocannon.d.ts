/** The part of autocannon 9.0.0 that the suite uses; the package has no types. */
declare module 'autocannon' {
  import type { EventEmitter } from 'node:events';

  export interface Request {
    readonly method: string;
    readonly path: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  }

  /**
   * Events: `request` (about to be written), `headers` ({statusCode, …}), `body` (a decoded piece, as it was read), `response`
   * (whole), `connError`, `timeout`.
   */
  export interface Client extends EventEmitter {
    destroy(): void;
    /** Not documented: autocannon keeps each body as a string unless this is replaced. */
    readonly pipelinedRequests: { addBody(piece: Uint8Array): void };
  }

  export interface Options {
    readonly url: string;
    readonly connections: number;
    readonly pipelining: number;
    /** Seconds; the run ends at the next sample after it. */
    readonly duration?: number;
    /** Responses; instead of a duration. */
    readonly amount?: number;
    /** Seconds from the request to the end of its answer. */
    readonly timeout: number;
    /** Milliseconds between two samples. */
    readonly sampleInt: number;
    readonly requests: readonly Request[];
    readonly setupClient: (client: Client) => void;
  }

  export interface Result {
    readonly errors: number;
    readonly timeouts: number;
    readonly non2xx: number;
    readonly '2xx': number;
    readonly latency: { readonly p50: number; readonly p99: number };
  }

  export interface Run extends PromiseLike<Result>, EventEmitter {
    stop(): void;
  }

  export default function autocannon(options: Options): Run;
}
