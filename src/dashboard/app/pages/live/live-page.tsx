/** What the gateway does now: plots of the last minutes, errors, targets, and the requests that have just finished. */
import { useEffect, useState } from 'preact/hooks';
import { formatTime } from '../../format/times.ts';
import { useNow } from '../../state/clock.ts';
import { useSharedState } from '../../state/shared-state.ts';
import { Badge } from '../../ui/badge.tsx';
import { Segments } from '../../ui/choice.tsx';
import { Page } from '../../ui/page.tsx';
import { Failure, Loading } from '../../ui/states.tsx';
import { ErrorsPanel } from './errors-panel.tsx';
import { FeedPanel } from './feed-panel.tsx';
import { lastSnapshot, liveStream, watchLive } from './live-data.ts';
import { LivePlots } from './live-plots.tsx';
import type { LiveState } from './live-stream.ts';
import { TargetsTable } from './targets-table.tsx';

const WINDOWS = [
  { value: '60', label: '1 min' },
  { value: '300', label: '5 min' },
  { value: '900', label: '15 min' },
] as const;

/** A snapshot comes each second. */
const STALE_AFTER_MS = 3_500;

export function LivePage() {
  const [seconds, setSeconds] = useState<(typeof WINDOWS)[number]['value']>('300');
  const state = useSharedState(liveStream.state);
  const snapshot = useSharedState(lastSnapshot);
  useEffect(() => watchLive(), []);
  return (
    <Page
      title="Live"
      actions={
        <>
          <LiveBadge state={state} />
          <Segments label="Time shown" options={WINDOWS} value={seconds} onChange={setSeconds} />
        </>
      }
    >
      {snapshot === null ? (
        <NoSnapshot state={state} />
      ) : (
        <>
          <LivePlots seconds={Number(seconds)} snapshot={snapshot} />
          <div class="live-middle">
            <TargetsTable targets={snapshot.targets} />
            <ErrorsPanel errors={snapshot.errors} seconds={Number(seconds)} />
          </div>
          <FeedPanel />
        </>
      )}
    </Page>
  );
}

function NoSnapshot({ state }: { state: LiveState }) {
  if (state.error !== null && state.phase !== 'open') {
    return <Failure error={state.error} onRetry={() => liveStream.open()} />;
  }
  return <Loading label="Waiting for the first numbers" rows={6} />;
}

function LiveBadge({ state }: { state: LiveState }) {
  const now = useNow(1000);
  const { phase, lastSnapshotAtMs } = state;
  if (phase === 'open' && lastSnapshotAtMs !== null && now - lastSnapshotAtMs < STALE_AFTER_MS) {
    return <Badge tone="ok">live</Badge>;
  }
  if (lastSnapshotAtMs === null)
    return <Badge tone="off">{phase === 'refused' ? 'not available' : 'connecting'}</Badge>;
  const since = `numbers as of ${formatTime(lastSnapshotAtMs)}`;
  return <Badge tone="warn">{phase === 'refused' ? since : `${since}, connecting again`}</Badge>;
}
