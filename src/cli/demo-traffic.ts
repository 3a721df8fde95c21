/**
 * The gentle load of the demo: some streams a second with several keys, models and endpoints, now and then an error, so that
 * usage, logs and plots have something to show. What is asked next follows from a seed.
 */
import { randomFrom } from '../load/statistics.ts';
import type { Scenario } from '../mock/scenario.ts';
import { post } from './demo-request.ts';

const REQUESTS_PER_S = 3;
const OPEN_MAX = 50;

const MODELS = ['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4', 'meta-llama/llama-3.3-70b'] as const;
const ENDPOINTS = ['/chat/completions', '/chat/completions', '/chat/completions', '/messages', '/responses'] as const;
const WORDS = 'each token of this answer was made up by the mock upstream and came through the gateway unchanged'.split(
  ' ',
);

export class DemoTraffic {
  readonly #baseUrl: string;
  readonly #keys: readonly string[];
  readonly #random = randomFrom(1);
  readonly #stop = new AbortController();
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #open = new Set<Promise<void>>();

  /** @param baseUrl ending in /v1 */
  constructor(baseUrl: string, keys: readonly string[]) {
    this.#baseUrl = baseUrl;
    this.#keys = keys;
    this.#timer = setInterval(() => this.#next(), 1_000 / REQUESTS_PER_S);
    this.#next();
  }

  /** Resolves when no request is open any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop.abort();
    await Promise.all(this.#open);
  }

  #next(): void {
    if (this.#open.size >= OPEN_MAX) return;
    const url = this.#baseUrl + this.#pick(ENDPOINTS);
    const sent = post(url, this.#pick(this.#keys), this.#request(), undefined, this.#stop.signal).then(
      () => {},
      // What goes wrong is what the gateway shows.
      () => {},
    );
    this.#open.add(sent);
    void sent.then(() => this.#open.delete(sent));
  }

  #request(): object {
    const content = 'Tell me something.';
    return {
      model: this.#pick(MODELS),
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 200,
      messages: [{ role: 'user', content }],
      input: content,
      mock: this.#scenario(),
    };
  }

  #scenario(): Scenario {
    if (this.#random() < 0.03) {
      return { status: 429, headers: [['retry-after', '1']], json: { error: { message: 'Slow down', code: 'busy' } } };
    }
    const words = Array.from({ length: 10 + this.#below(60) }, () => this.#pick(WORDS));
    return { text: words.join(' '), head_delay_ms: 30 + this.#below(300), pace_ms: 15 + this.#below(40) };
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)]!;
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }
}
