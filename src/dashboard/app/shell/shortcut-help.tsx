import { useSharedState } from '../state/shared-state.ts';
import { SHORTCUTS, shortcutHelpOpen, shortcutsOn } from '../state/shortcuts.ts';
import { Dialog } from '../ui/dialog.tsx';

const OTHERS = [
  { keys: '/', label: 'Search' },
  { keys: 'n', label: 'Create a key (on Keys)' },
  { keys: 'p', label: 'Pause or go on (on Live)' },
  { keys: '↑ ↓', label: 'From row to row in a table' },
  { keys: 'Enter', label: 'Open the row' },
  { keys: 'Esc', label: 'Close, or clear the search' },
  { keys: '?', label: 'Show this list' },
];

export function ShortcutHelp() {
  const open = useSharedState(shortcutHelpOpen);
  if (!open) return null;
  return (
    <Dialog title="Keyboard" onClose={() => shortcutHelpOpen.set(false)}>
      <div class="dialog-body">
        <dl class="shortcuts">
          {[...SHORTCUTS.map(({ keys, label }) => ({ keys, label: `Go to ${label}` })), ...OTHERS].map(
            ({ keys, label }) => (
              <div key={keys}>
                <dt>{label}</dt>
                <dd>
                  {keys.split(' ').map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </dd>
              </div>
            ),
          )}
        </dl>
        <ShortcutSwitch />
      </div>
    </Dialog>
  );
}

export function ShortcutSwitch() {
  const on = useSharedState(shortcutsOn);
  return (
    <label class="check">
      <input type="checkbox" checked={on} onChange={(event) => shortcutsOn.set(event.currentTarget.checked)} />
      Single keys act as shortcuts
    </label>
  );
}
