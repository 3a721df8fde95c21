/** What each part of the contract (contract.ts) is given: a mock upstream and a client of it. */
import type { MockServer } from '../../src/mock/server.ts';
import type { UpstreamClient } from '../../src/upstream/client.ts';

export type CreateClient = (baseUrl: string) => UpstreamClient;

/** Made anew for every test. */
export interface Bench {
  mock: MockServer;
  /** Of that mock. */
  client: UpstreamClient;
  readonly create: CreateClient;
  /** What the test started besides: stopped behind it. */
  readonly running: { stop(): unknown }[];
  readonly gaps: readonly Gap[];
}

/**
 * What a client may be unable to do because of what it is built on; whoever uses it must not rely on it then.
 * - `reset of an unframed body`: a body that ends by closing, broken off by a reset, looks like a whole one
 */
export type Gap = 'reset of an unframed body';
