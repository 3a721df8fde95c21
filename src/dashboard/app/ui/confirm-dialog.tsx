import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { isApiError } from '../api/admin-client.ts';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';
import { ErrorNote } from './states.tsx';

interface ConfirmDialogProps {
  readonly title: string;
  readonly children: ComponentChildren;
  /** What the button does, as a verb. */
  readonly action: string;
  readonly isDangerous?: boolean;
  /** To be typed before the button can be pressed: for what cannot be taken back. */
  readonly typeToConfirm?: string;
  readonly onConfirm: () => Promise<void>;
  readonly onClose: () => void;
}

export function ConfirmDialog(props: ConfirmDialogProps) {
  const { title, children, action, isDangerous = false, typeToConfirm, onConfirm, onClose } = props;
  const [typed, setTyped] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);
  const confirm = async () => {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
    } catch (reason) {
      setError(isApiError(reason) ? reason.message : String(reason));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form
        class="dialog-body"
        onSubmit={(event) => {
          event.preventDefault();
          void confirm();
        }}
      >
        {children}
        {typeToConfirm !== undefined && (
          <label class="field">
            <span>
              Type <strong>{typeToConfirm}</strong> to confirm
            </span>
            <input
              value={typed}
              autocomplete="off"
              spellcheck={false}
              onInput={(event) => setTyped(event.currentTarget.value)}
            />
          </label>
        )}
        {error !== null && <ErrorNote>{error}</ErrorNote>}
        <footer class="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button
            type="submit"
            kind={isDangerous ? 'danger' : 'primary'}
            busy={busy}
            disabled={typeToConfirm !== undefined && typed !== typeToConfirm}
          >
            {action}
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
