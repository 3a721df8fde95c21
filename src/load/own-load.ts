/**
 * How busy the harness itself is: the lateness of a probe timer, and processor time without the busy wait. From both follows
 * whether the figures measure the harness instead of the target.
 */
import { nowUs } from './clock.ts';
import { Reservoir } from './reservoir.ts';

/** An idle iteration takes 1.5 to 3 µs of processor time; a longer one waited for a processor. */
const IDLE_ITERATION_US_MAX = 10;

/** From this processor share or this lag on the harness counts as the bottleneck. */
const CPU_SHARE_MAX = 0.85;
const LAG_P99_MAX_US = 10_000;

const PROBE_MS = 10;

export class OwnLoad {
  /** How late the probe ran. Up to 1 ms is noise: Bun's timers are that late on an idle machine. */
  readonly lagUs = new Reservoir();
  /** Callbacks with work to do; the busy wait sees from it whether an iteration was idle. */
  activity = 0;
  #spunUs = 0;
  #iterationUs = 0;
  #iterationActivity = 0;
  #startedUs = 0;
  #cpuAtStart = process.cpuUsage();
  #probe: ReturnType<typeof setTimeout> | undefined;
  #probeDueUs = 0;

  start(): void {
    this.#startedUs = nowUs();
    this.#cpuAtStart = process.cpuUsage();
    this.#arm();
  }

  stop(): void {
    clearTimeout(this.#probe);
  }

  /** Discards what was measured so far: the warm-up has ended. */
  restart(): void {
    this.lagUs.clear();
    this.#spunUs = 0;
    this.#startedUs = nowUs();
    this.#cpuAtStart = process.cpuUsage();
  }

  /** The lag of the last probe, for the progress line. */
  lastLagUs = 0;

  /** An iteration of the busy wait begins. */
  spinStarts(atUs: number): void {
    this.#iterationUs = atUs;
    this.#iterationActivity = this.activity;
  }

  /** An iteration of the busy wait ends and the next one begins; only idle ones count as waiting. */
  spun(atUs: number): void {
    if (this.activity === this.#iterationActivity)
      this.#spunUs += Math.min(IDLE_ITERATION_US_MAX, atUs - this.#iterationUs);
    this.spinStarts(atUs);
  }

  /** Processor time as a share of one core, without the busy wait. */
  cpuShare(): number {
    const elapsedUs = nowUs() - this.#startedUs;
    const { user, system } = process.cpuUsage(this.#cpuAtStart);
    return elapsedUs <= 0 ? 0 : Math.max(0, user + system - this.#spunUs) / elapsedUs;
  }

  #arm(): void {
    this.#probeDueUs = nowUs() + PROBE_MS * 1000;
    this.#probe = setTimeout(this.#probed, PROBE_MS);
  }

  #probed = (): void => {
    // Bun's timers may fire a fraction of a millisecond early.
    this.lastLagUs = Math.max(0, nowUs() - this.#probeDueUs);
    this.lagUs.add(this.lastLagUs);
    this.#arm();
  };
}

/** Why the harness may be the bottleneck; empty when it is not. */
export function bottlenecks(cpuShare: number, lagP99Us: number): string[] {
  const reasons: string[] = [];
  if (cpuShare >= CPU_SHARE_MAX) reasons.push(`its processor share is ${Math.round(cpuShare * 100)}% of a core`);
  if (lagP99Us >= LAG_P99_MAX_US) reasons.push(`its event loop lag p99 is ${(lagP99Us / 1000).toFixed(1)} ms`);
  return reasons;
}
