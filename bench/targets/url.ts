/** A gateway started by the user, with the suite's mock (--upstream-port) as its upstream. Its costs are not measured. */
import type { BenchTarget } from './target.ts';

/** @param key sent as a bearer token when given */
export function urlTarget(url: string, key: string | undefined): BenchTarget {
  return {
    name: 'url',
    about: 'started by hand',
    prepare: async () => null,
    version: async () => '',
    start: async () => ({
      url,
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` },
      pid: null,
      stop: async () => {},
    }),
  };
}
