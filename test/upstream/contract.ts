/**
 * What every UpstreamClient must do, whatever it is built on: the rules of src/upstream/client.ts over real sockets.
 * The order of the sink's calls is checked in each of these tests (observed.ts), not only in those named after it.
 */
import { afterEach, beforeEach, describe, expect } from 'bun:test';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import type { UpstreamClient } from '../../src/upstream/client.ts';
import { answersContract } from './contract-answers.ts';
import { breaksContract } from './contract-breaks.ts';
import { connectionsContract } from './contract-connections.ts';
import { controlContract } from './contract-control.ts';
import { requestsContract } from './contract-requests.ts';
import { uploadsContract } from './contract-uploads.ts';
import { takeViolations } from './observed.ts';

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

export function upstreamContract(name: string, create: CreateClient, gaps: readonly Gap[] = []): void {
  describe(`${name} as an upstream client`, () => {
    const bench = { create, gaps, running: [] as Bench['running'] } as Bench;

    beforeEach(() => {
      bench.mock = startMock();
      bench.client = create(bench.mock.url);
    });

    afterEach(async () => {
      await bench.mock.stop();
      for (const server of bench.running.splice(0)) await server.stop();
      expect(takeViolations()).toEqual([]);
    });

    describe('request', () => requestsContract(bench));
    describe('streamed request body', () => uploadsContract(bench));
    describe('answer', () => answersContract(bench));
    describe('broken answer', () => breaksContract(bench));
    describe('connection', () => connectionsContract(bench));
    describe('pause and abort', () => controlContract(bench));
  });
}
