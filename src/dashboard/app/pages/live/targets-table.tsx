import type { Target } from '../../api/api-types.ts';
import { formatCount } from '../../format/numbers.ts';
import { formatRelative } from '../../format/times.ts';
import { TargetBadge } from '../../ui/badge.tsx';
import { Panel } from '../../ui/page.tsx';
import { ScrollRegion } from '../../ui/scroll-region.tsx';

/** Where requests go, and what each target has left. */
export function TargetsTable({ targets }: { targets: readonly Target[] }) {
  const now = Date.now();
  return (
    <Panel title="Targets" aside={<span class="muted">{summary(targets)}</span>}>
      <ScrollRegion class="scroll-x" label="Targets">
        <table class="table">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">State</th>
              <th scope="col" class="right">
                In flight
              </th>
              <th scope="col" class="right">
                Attempts
              </th>
              <th scope="col" class="right">
                Failures
              </th>
              <th scope="col" class="right">
                Quota left
              </th>
            </tr>
          </thead>
          <tbody>
            {targets.map((target) => (
              <tr key={target.name}>
                <th scope="row">{target.name}</th>
                <td>
                  <TargetBadge state={target.state} />
                  {target.rests_until && target.state !== 'up' && (
                    <span class="muted">, tried again {formatRelative(target.rests_until, now)}</span>
                  )}
                </td>
                <td class="right">{formatCount(target.in_flight)}</td>
                <td class="right">{formatCount(target.attempts)}</td>
                <td class="right">{formatCount(target.failures)}</td>
                <td class="right">
                  {formatCount(target.quota_available)}
                  {target.quota_reset && <span class="muted"> resets {formatRelative(target.quota_reset, now)}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollRegion>
    </Panel>
  );
}

function summary(targets: readonly Target[]): string {
  const up = targets.filter((target) => target.state === 'up').length;
  return `${up} of ${targets.length} up`;
}
