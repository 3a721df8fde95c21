/** The answer of GET /admin/targets. */
import type { UpstreamTarget } from '../upstream/target.ts';

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
