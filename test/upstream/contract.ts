/**
 * What every UpstreamClient must do, whatever it is built on: the rules of src/upstream/client.ts over real sockets.
 * The order of the sink's calls is checked in each of these tests (observed.ts), not only in those named after it.
 */
import { afterEach, beforeEach, describe, expect } from 'bun:test';
import { startMock } from '../../src/mock/server.ts';
import { answersContract } from './contract-answers.ts';
import type { Bench, CreateClient } from './contract-bench.ts';
import { breaksContract } from './contract-breaks.ts';
import { connectionsContract } from './contract-connections.ts';
import { controlContract } from './contract-control.ts';
import { requestsContract } from './contract-requests.ts';
import { uploadsContract } from './contract-uploads.ts';
import { takeViolations } from './observed.ts';

export function upstreamContract(name: string, create: CreateClient): void {
  describe(`${name} as an upstream client`, () => {
    const bench = { create, running: [] as Bench['running'] } as Bench;

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
