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
}
