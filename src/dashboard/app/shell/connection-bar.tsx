import { connection, tryNow } from '../api/connection-monitor.ts';
import { formatTime } from '../format/times.ts';
import { useNow } from '../state/clock.ts';
import { useSharedState } from '../state/shared-state.ts';
import { Button } from '../ui/button.tsx';

export function ConnectionBar() {
  const { reachable } = useSharedState(connection);
  return <div role="status">{!reachable && <Unreachable />}</div>;
}

function Unreachable() {
  const { lastAnswerAtMs, nextTryAtMs } = useSharedState(connection);
  const now = useNow(500);
  const seconds = nextTryAtMs === null ? 0 : Math.max(0, Math.ceil((nextTryAtMs - now) / 1000));
  return (
    <div class="connection-bar">
      <span>
        <strong>The gateway does not answer.</strong> What you see is as of {formatTime(lastAnswerAtMs)}.
      </span>
      <span class="connection-retry">
        <span aria-hidden="true">{seconds === 0 ? 'Trying…' : `Next try in ${seconds} s`}</span>
        <Button onPress={tryNow}>Try now</Button>
      </span>
    </div>
  );
}
