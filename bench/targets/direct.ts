/** No gateway: the mock upstream itself, as the reference. */
import type { BenchTarget } from './target.ts';

export const direct: BenchTarget = {
  name: 'direct',
  about: 'no gateway: client and mock upstream share a core',
  prepare: async () => null,
  version: async () => '',
  start: async ({ upstreamPort }) => ({
    url: `http://127.0.0.1:${upstreamPort}/v1`,
    headers: {},
    pid: null,
    stop: async () => {},
  }),
};
