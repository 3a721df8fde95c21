import { useState } from 'preact/hooks';
import { createKey, isApiError } from '../../api/admin-client.ts';
import type { IssuedKey } from '../../api/api-types.ts';
import { keyChanged } from '../../state/key-directory.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { ErrorNote } from '../../ui/states.tsx';
import { fieldsOf, NEW_KEY, problemOf } from './key-form.ts';
import { KeyFormFields } from './key-form-fields.tsx';
import { SecretDialog } from './secret-dialog.tsx';

export function CreateKeyDialog({ onClose }: { onClose: () => void }) {
  const [draft, setDraft] = useState(NEW_KEY);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const [issued, setIssued] = useState<IssuedKey | null>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    const found = problemOf(draft);
    setProblem(found);
    if (found !== null) return;
    setBusy(true);
    try {
      const { key, ...rest } = await createKey(fieldsOf(draft));
      keyChanged(rest);
      setIssued({ ...rest, key });
    } catch (error) {
      setProblem(isApiError(error) ? error.message : String(error));
      setBusy(false);
    }
  };

  if (issued !== null)
    return <SecretDialog title={`Key created: ${issued.name}`} secret={issued.key} onClose={onClose} />;
  return (
    <Dialog title="Create key" wide onClose={onClose}>
      <form class="dialog-body" noValidate onSubmit={(event) => void submit(event)}>
        <KeyFormFields draft={draft} onChange={setDraft} />
        {problem !== null && <ErrorNote>{problem}</ErrorNote>}
        <footer class="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy}>
            Create key
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
