/**
 * What happens to the processes during a soak, and when: drawn from the seed before it begins.
 *
 * The gateway itself is only stopped and killed in the first part, so that the rest is one process, whose memory can be
 * followed; everything else goes on to the end.
 */
import { randomFrom } from '../../src/load/statistics.ts';

export type Disturbance =
  | { readonly atS: number; readonly what: 'stop' | 'kill' | 'reload' | 'bad reload' }
  | { readonly atS: number; readonly what: 'target'; readonly target: 'a' | 'b'; readonly awayMs: number };

/** From here on a long soak leaves the gateway's process alone, and the growth of its memory is judged. */
export const JUDGED_FROM = 0.2;
/** A soak shorter than this has no such part: a process needs a minute or two to reach the memory that it works with. */
export const JUDGED_MINUTES_MIN = 5;

const LONG_RESTARTS: readonly (readonly ['stop' | 'kill', number])[] = [
  ['kill', 0.015],
  ['stop', 0.025],
  ['kill', 0.04],
  ['stop', 0.05],
  ['kill', 0.065],
];
const SHORT_RESTARTS: readonly (readonly ['stop' | 'kill', number])[] = [
  ['kill', 0.25],
  ['stop', 0.5],
];

interface DisturbancePlan {
  readonly seed: number;
  readonly durationS: number;
  /** A reload replaces processes, as it does with several workers: then it belongs into the first part, too. */
  readonly reloadRestarts: boolean;
}

export function planDisturbances({ seed, durationS, reloadRestarts }: DisturbancePlan): readonly Disturbance[] {
  const random = randomFrom(seed + 77);
  const isLong = durationS >= JUDGED_MINUTES_MIN * 60;
  const planned: Disturbance[] = (isLong ? LONG_RESTARTS : SHORT_RESTARTS).map(([what, share]) => ({
    what,
    atS: share * durationS,
  }));
  const everyS = Math.min(20, durationS / 6);
  for (let atS = everyS; atS < durationS * 0.95; atS += everyS) {
    const target = random() < 0.5 ? 'a' : 'b';
    planned.push({ what: 'target', atS: atS + (random() - 0.5) * everyS, target, awayMs: 200 + random() * 1_500 });
  }
  const reloads = isLong ? 12 : 3;
  const reloadEnd = reloadRestarts && isLong ? JUDGED_FROM * 0.75 : 0.95;
  for (let i = 0; i < reloads; i++) {
    const atS = ((i + random()) / reloads) * reloadEnd * durationS;
    planned.push({ what: i % 4 === 2 ? 'bad reload' : 'reload', atS });
  }
  return planned.sort((a, b) => a.atS - b.atS);
}
