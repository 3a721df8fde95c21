import { dismiss, notices } from '../state/notices.ts';
import { useSharedState } from '../state/shared-state.ts';
import { Button } from '../ui/button.tsx';

export function Notices() {
  const shown = useSharedState(notices);
  return (
    <div class="notices" role="status" aria-live="polite">
      {shown.map((notice) => (
        <div key={notice.id} class={notice.isError ? 'notice error' : 'notice'}>
          <span>{notice.text}</span>
          <Button kind="quiet" icon="close" label="Dismiss" onPress={() => dismiss(notice.id)} />
        </div>
      ))}
    </div>
  );
}
