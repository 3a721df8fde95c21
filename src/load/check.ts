/** One stream before the load, up to its first event: a target that cannot work is reported in one line, without a load test. */

import type { ErrorKind } from './connection.ts';
import { Load } from './load.ts';
import type { LoadPlan } from './plan.ts';

/** Errors that the load test counts anyway, and that may be the very thing to measure. */
const COUNTED_BY_THE_LOAD: readonly (ErrorKind | RegExp)[] = [
  'truncated',
  'reset',
  'bad_sse',
  'stream_error',
  'http_429',
  /^http_5/,
];

/** Why a load test of this target would be useless; undefined when the target streams. */
export async function problemWith(plan: LoadPlan): Promise<string | undefined> {
  const load = new Load({
    ...plan,
    arrivals: { kind: 'closed', streams: 1, rampS: 0 },
    // The one slot starts at once, and there is no time for a second stream.
    durationS: 1e-6,
    warmupS: 0,
    slowReaders: 0,
    abandon: 1,
    // Longer than the timeout, whose message is the clearer one.
    drainS: plan.timeoutS + 5,
    recorder: undefined,
  });
  await load.run();
  for (const [kind, { example }] of load.tally.errors) {
    if (COUNTED_BY_THE_LOAD.some((known) => (typeof known === 'string' ? known === kind : known.test(kind)))) continue;
    return example;
  }
  return undefined;
}
