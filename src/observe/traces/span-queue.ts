/**
 * Spans on their way to the collector: sent in batches, one at a time. Guarantees: what waits is bounded, nothing that happens
 * to a batch reaches a request, and each span that the collector does not get is counted.
 */

interface SpanQueueOptions<Span> {
  readonly queueMax: number;
  readonly batchMax: number;
  /** Between two batches that are not full. */
  readonly delayMs: number;
  /** Then a batch is given up. */
  readonly exportTimeoutMs: number;
  /** Resolves when the collector has it. */
  send(batch: Span[]): Promise<void>;
  onDropped(spans: number, error: Error): void;
}

export class SpanQueue<Span> {
  readonly #options: SpanQueueOptions<Span>;
  #waiting: Span[] = [];
  #timer: Timer | null = null;
  /** Resolves when the batch that is under way is over. */
  #sending: Promise<void> | null = null;
  /** Spans of that batch. */
  #underWay = 0;
  #isClosed = false;
  #dropped = 0;

  constructor(options: SpanQueueOptions<Span>) {
    this.#options = options;
  }

  /** Since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** All of a request, or none. */
  push(spans: readonly Span[]): void {
    const { queueMax, delayMs } = this.#options;
    if (this.#isClosed || this.#waiting.length + spans.length > queueMax) {
      this.#drop(spans.length, new Error('too many spans are waiting'));
      return;
    }
    for (const span of spans) this.#waiting.push(span);
    if (this.#sending !== null) return;
    if (this.#waiting.length >= this.#batchMax) this.#send();
    else this.#timer ??= setTimeout(() => this.#send(), delayMs).unref();
  }

  /** Sends what waits, for so long at the most; the rest is dropped. */
  async close(withinMs: number): Promise<void> {
    this.#isClosed = true;
    const untilMs = performance.now() + withinMs;
    while (this.#sending !== null || this.#waiting.length > 0) {
      if (this.#sending === null) this.#send();
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || (await endsWithin(this.#sending!, leftMs)) === false) break;
    }
    const left = this.#waiting.length + this.#underWay;
    this.#waiting = [];
    this.#underWay = 0;
    if (left > 0) this.#drop(left, new Error('the collector did not take them before the stop'));
  }

  get #batchMax(): number {
    return Math.min(this.#options.batchMax, this.#options.queueMax);
  }

  #send(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const batch = this.#waiting.splice(0, this.#batchMax);
    if (batch.length === 0) return;
    this.#sending = this.#sendBatch(batch).then(() => {
      this.#sending = null;
      if (this.#isClosed || this.#waiting.length === 0) return;
      if (this.#waiting.length >= this.#batchMax) this.#send();
      else this.#timer ??= setTimeout(() => this.#send(), this.#options.delayMs).unref();
    });
  }

  async #sendBatch(batch: Span[]): Promise<void> {
    const { send, exportTimeoutMs } = this.#options;
    this.#underWay = batch.length;
    try {
      const sent = send(batch);
      sent.catch(() => {});
      if (!(await endsWithin(sent, exportTimeoutMs))) throw new Error('the collector did not answer in time');
      this.#underWay = 0;
    } catch (error) {
      // None is left when the stop did not wait for it.
      const left = this.#underWay;
      this.#underWay = 0;
      if (left > 0) this.#drop(left, error as Error);
    }
  }

  #drop(spans: number, error: Error): void {
    this.#dropped += spans;
    this.#options.onDropped(spans, error);
  }
}

/** Whether it has ended by then. Rejects when it does. */
async function endsWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), ms);
  try {
    return await Promise.race([promise.then(() => true as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
