/** The targets that a configuration asks for. Connections of a target that is configured again are kept. */
import type { TargetConfig } from '../config/targets.ts';
import { TargetClient } from './attempts.ts';
import type { UpstreamClient } from './client.ts';
import { HeaderBlock, type HeaderField } from './header-block.ts';
import { RetryBudget } from './retry-budget.ts';
import type { TargetOptions } from './target.ts';
import { TargetPool } from './target-pool.ts';

/** One target without anybody who is told of its health. */
export function singleTarget(name: string, client: UpstreamClient, apiKey: string): UpstreamClient {
  const credentials = new HeaderBlock([['authorization', `Bearer ${apiKey}`]]);
  const target = { name, client, credentials, weight: 1, maxConcurrent: null, models: null };
  const budget = new RetryBudget(0);
  const events = { onRest: () => {}, onReturn: () => {}, onKeyRefused: () => {} };
  const pool = new TargetPool([target], { budget, events, probeTimeoutMs: 1 });
  return new TargetClient(pool, budget, { retryAttemptsMax: 1, retryOnReset: false, retryStreamErrors: false });
}

interface Parts {
  readonly client: UpstreamClient;
  readonly credentials: HeaderBlock;
}

export class TargetFactory {
  readonly #connect: (baseUrl: string) => UpstreamClient;
  readonly #fields: (apiKey: string) => HeaderField[];
  #parts = new Map<string, Parts>();

  /** @param fields of every request with a key */
  constructor(connect: (baseUrl: string) => UpstreamClient, fields: (apiKey: string) => HeaderField[]) {
    this.#connect = connect;
    this.#fields = fields;
  }

  /** @throws Error when one cannot be made; then nothing has changed */
  create(configs: readonly TargetConfig[]): TargetOptions[] {
    const parts = new Map<string, Parts>();
    const targets = configs.map((config) => {
      const { name, baseUrl, apiKey, weight, maxConcurrent, models } = config;
      const id = JSON.stringify([name, baseUrl, apiKey]);
      const own = this.#parts.get(id) ?? {
        client: this.#connect(baseUrl),
        credentials: new HeaderBlock(this.#fields(apiKey)),
      };
      parts.set(id, own);
      return { name, ...own, weight, maxConcurrent, models: models && new Set(models) };
    });
    this.#parts = parts;
    return targets;
  }
}
