/** Begins a trace for each request and, as an observer, hands on the spans of those that are sampled. */
import type { HeaderReader } from '../../http/request-id.ts';
import type { ExchangeObserver, SettledExchange } from '../observer.ts';
import { RequestTrace } from './request-trace.ts';
import type { Sampler } from './sampler.ts';
import { parseTraceparent } from './trace-context.ts';

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
/** Random bytes are cheaper by the thousand. */
const POOL_BYTES = 4096;

export class Tracer implements ExchangeObserver {
  readonly #sampler: Sampler;
  readonly #onTraced: (exchange: SettledExchange, trace: RequestTrace) => void;
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #used = POOL_BYTES;
  readonly #newSpanId = () => this.#randomId(SPAN_ID_BYTES);

  constructor(sampler: Sampler, onTraced: (exchange: SettledExchange, trace: RequestTrace) => void) {
    this.#sampler = sampler;
    this.#onTraced = onTraced;
  }

  /** @param headers of the client: it may be part of a trace already */
  begin(headers: HeaderReader): RequestTrace {
    const parent = parseTraceparent(headers.get('traceparent'));
    const traceId = parent?.traceId ?? this.#randomId(TRACE_ID_BYTES);
    const tracestate = parent === null ? null : headers.get('tracestate');
    const isSampled = this.#sampler(traceId, parent);
    return new RequestTrace(traceId, this.#newSpanId(), parent, tracestate, isSampled, this.#newSpanId);
  }

  settled(exchange: SettledExchange): void {
    const { trace } = exchange;
    if (trace?.isSampled) this.#onTraced(exchange, trace);
  }

  #randomId(bytes: number): string {
    if (this.#used + bytes > POOL_BYTES) {
      crypto.getRandomValues(this.#pool);
      this.#used = 0;
    }
    const id = this.#pool.toString('hex', this.#used, this.#used + bytes);
    this.#used += bytes;
    // All zero means none.
    return /[1-9a-f]/.test(id) ? id : this.#randomId(bytes);
  }
}
