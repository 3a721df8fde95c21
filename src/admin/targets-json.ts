/** The answer of GET /admin/targets. */
import type { UpstreamTarget } from '../upstream/target.ts';

export type TargetJson = ReturnType<typeof targetToJson>;

/**
 * The targets of several processes as one: counts are added up; the state is the best that one of them knows, because where
 * one gets through, requests get through.
 */
export function mergeTargets(lists: readonly (readonly TargetJson[])[]): TargetJson[] {
  const merged = new Map<string, TargetJson>();
  for (const target of lists.flat()) {
    const other = merged.get(target.name);
    merged.set(target.name, other === undefined ? target : mergedTarget(other, target));
  }
  return [...merged.values()];
}

const BEST_FIRST = ['up', 'probing', 'resting'];

function mergedTarget(a: TargetJson, b: TargetJson): TargetJson {
  const best = BEST_FIRST.indexOf(b.state) < BEST_FIRST.indexOf(a.state) ? b : a;
  const quotas = [a.quota_available, b.quota_available].filter((quota) => quota !== null);
  return {
    name: a.name,
    state: best.state,
    in_flight: a.in_flight + b.in_flight,
    attempts: a.attempts + b.attempts,
    failures: a.failures + b.failures,
    quota_available: quotas.length === 0 ? null : Math.min(...quotas),
    quota_reset: latest(a.quota_reset, b.quota_reset),
    rests_until: best.rests_until,
  };
}

function latest(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}

export function targetsToJson(targets: readonly UpstreamTarget[]) {
  return { targets: targets.map(targetToJson) };
}

function targetToJson({ name, health, inFlight, attempts, failures, quotaAvailable, quotaResetMs }: UpstreamTarget) {
  return {
    name,
    state: health.state,
    in_flight: inFlight,
    attempts,
    failures,
    quota_available: quotaAvailable,
    quota_reset: isoTime(quotaResetMs),
    rests_until: isoTime(health.restsUntilMs),
  };
}

/** A time beyond what a date can be is none. */
function isoTime(timeMs: number | null): string | null {
  return timeMs === null || timeMs > 8.64e15 ? null : new Date(timeMs).toISOString();
}
