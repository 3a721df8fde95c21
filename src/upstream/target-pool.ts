/**
 * All targets, and which one a request goes to: a healthy one that lists the model, with the least load for its weight.
 *
 * Guarantees: the last target that could serve a request never rests; a target that rests gets one probe at a time and
 * nothing else; where a failure could not be made good by another attempt, a target that has just failed is avoided.
 */
import type { UpstreamRequest } from './client.ts';
import { OwnProbe } from './own-probe.ts';
import type { RetryBudget } from './retry-budget.ts';
import { type TargetOptions, type TargetSupervisor, UpstreamTarget } from './target.ts';

interface TargetPoolOptions {
  readonly budget: RetryBudget;
  /** What is told of a target's health. */
  readonly events: Omit<TargetSupervisor, 'mayRest'>;
  readonly probeTimeoutMs: number;
}

export class TargetPool implements TargetSupervisor {
  #targets: readonly UpstreamTarget[];
  readonly #options: TargetPoolOptions;

  constructor(targets: readonly TargetOptions[], options: TargetPoolOptions) {
    this.#options = options;
    this.#targets = targets.map((target) => new UpstreamTarget(target, this));
  }

  get all(): readonly UpstreamTarget[] {
    return this.#targets;
  }

  /** The only target, when every request can go there. */
  get only(): UpstreamTarget | null {
    const [first] = this.#targets;
    if (this.#targets.length !== 1 || first!.share.models !== null || first!.share.maxConcurrent !== null) return null;
    return first!;
  }

  /** Requests from now on go to these; a target with the name and client of one that is there goes on as it is. */
  replace(targets: readonly TargetOptions[]): void {
    const before = this.#targets;
    this.#targets = targets.map((options) => {
      const kept = before.find(({ name, client }) => name === options.name && client === options.client);
      if (kept) kept.share = options;
      return kept ?? new UpstreamTarget(options, this);
    });
    for (const target of before) if (!this.#targets.includes(target)) target.retire();
    for (const target of this.#targets) if (!this.mayRest(target)) target.health.wake();
  }

  close(): void {
    for (const target of this.#targets) target.client.close();
  }

  lists(model: string | null): boolean {
    return this.#targets.some((target) => target.serves(model));
  }

  /**
   * @param mayResend the request can be sent to another target when this one fails
   * @returns null when none that is not tried has room for it
   */
  choose(
    model: string | null,
    tried: readonly UpstreamTarget[],
    mayResend: boolean,
    nowMs: number,
  ): UpstreamTarget | null {
    const retriesLeft = mayResend ? this.#options.budget.left(nowMs) : 0;
    const candidates: UpstreamTarget[] = [];
    const suspects: UpstreamTarget[] = [];
    for (const target of this.#targets) {
      if (tried.includes(target) || !target.serves(model) || !target.hasRoom) continue;
      const { health } = target;
      if (health.state === 'up')
        (health.failuresInRow > 0 && retriesLeft <= target.inFlight ? suspects : candidates).push(target);
      else if (health.isProbeDue(nowMs)) {
        // A client's request is the probe only where it loses nothing when the probe fails.
        if (target.needsOwnProbe || retriesLeft === 0) OwnProbe.begin(target, this.#options.probeTimeoutMs);
        else if (tried.length === 0) return target;
      }
    }
    return leastLoaded(candidates.length > 0 ? candidates : suspects);
  }

  /** For a request that can be sent to none that is up: of those that rest and were not tried the one that rests least. */
  restingFor(model: string | null, tried: readonly UpstreamTarget[]): UpstreamTarget | null {
    let best: UpstreamTarget | null = null;
    for (const target of this.#targets) {
      if (tried.includes(target) || !target.serves(model) || !target.hasRoom) continue;
      const untilMs = target.health.restsUntilMs;
      if (untilMs !== null && (best === null || untilMs < best.health.restsUntilMs!)) best = target;
    }
    return best;
  }

  mayRest(target: UpstreamTarget): boolean {
    const { models } = target.share;
    const others = this.#targets.filter((other) => other !== target && other.health.state === 'up');
    if (models === null) return others.some((other) => other.share.models === null);
    return [...models].every((model) => others.some((other) => other.serves(model)));
  }

  onRest(target: UpstreamTarget, reason: string): void {
    this.#options.events.onRest(target, reason);
  }

  onReturn(target: UpstreamTarget): void {
    this.#options.events.onReturn(target);
  }

  onKeyRefused(target: UpstreamTarget, status: number): void {
    this.#options.events.onKeyRefused(target, status);
  }
}

/** Those with the same load take their turns in proportion to their weights (smooth weighted round robin). */
function leastLoaded(targets: readonly UpstreamTarget[]): UpstreamTarget | null {
  let load = Number.POSITIVE_INFINITY;
  for (const { inFlight, share } of targets) load = Math.min(load, inFlight / share.weight);
  let best: UpstreamTarget | null = null;
  let weights = 0;
  for (const target of targets) {
    if (target.inFlight / target.share.weight > load) continue;
    weights += target.share.weight;
    target.credit += target.share.weight;
    if (best === null || target.credit > best.credit) best = target;
  }
  if (best) best.credit -= weights;
  return best;
}

/** Whether a body is there to be sent again. */
export function isReplayable({ body }: UpstreamRequest): boolean {
  return body === null || body instanceof Uint8Array;
}
