/** One stream before the load, up to its first event: what no load test could succeed against is said in one line instead. */
import { Load } from './load.ts';
import type { LoadPlan } from './plan.ts';
import type { ErrorKind } from './stream.ts';

/** These are found under load as well as before, and may be just what is to be measured. */
const FOR_THE_LOAD_TO_COUNT: readonly (ErrorKind | RegExp)[] = [
  'truncated',
  'reset',
  'bad_sse',
  'stream_error',
  'http_429',
  /^http_5/,
];

/** Undefined when the target streams; otherwise why a load test would be of no use. */
export async function problemWith(plan: LoadPlan): Promise<string | undefined> {
  const load = new Load({
    ...plan,
    arrivals: { kind: 'closed', streams: 1, rampS: 0 },
    // The one slot is due at once, and a second stream never.
    durationS: 1e-6,
    warmupS: 0,
    slowReaders: 0,
    abandon: 1,
    // Longer than the timeout, which says better what is wrong.
    drainS: plan.timeoutS + 5,
    recorder: undefined,
  });
  await load.run();
  for (const [kind, { example }] of load.tally.errors) {
    if (FOR_THE_LOAD_TO_COUNT.some((known) => (typeof known === 'string' ? known === kind : known.test(kind))))
      continue;
    return example;
  }
  return undefined;
}
