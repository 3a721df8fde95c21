import { useState } from 'preact/hooks';
import { changeKey, isApiError } from '../../api/admin-client.ts';
import type { KeyObject } from '../../api/api-types.ts';
import { notify } from '../../state/notices.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { ErrorNote } from '../../ui/states.tsx';
import { changedFields, draftOf, problemOf } from './key-form.ts';
import { KeyFormFields } from './key-form-fields.tsx';

interface EditKeyDialogProps {
  readonly apiKey: KeyObject;
  readonly onChanged: (key: KeyObject) => void;
  readonly onClose: () => void;
}

export function EditKeyDialog({ apiKey, onChanged, onClose }: EditKeyDialogProps) {
  const [before] = useState(() => draftOf(apiKey));
  const [draft, setDraft] = useState(before);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    const found = problemOf(draft);
    setProblem(found);
    if (found !== null) return;
    const changes = changedFields(before, draft);
    if (Object.keys(changes).length === 0) return onClose();
    setBusy(true);
    try {
      onChanged(await changeKey(apiKey.id, changes));
      notify('Saved. It holds from the next request on.');
      onClose();
    } catch (error) {
      setProblem(isApiError(error) ? error.message : String(error));
      setBusy(false);
    }
  };

  return (
    <Dialog title={`Edit ${apiKey.name}`} wide onClose={onClose}>
      <form class="dialog-body" noValidate onSubmit={(event) => void submit(event)}>
        <KeyFormFields draft={draft} onChange={setDraft} />
        {problem !== null && <ErrorNote>{problem}</ErrorNote>}
        <footer class="dialog-actions">
          <Button onPress={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={busy}>
            Save
          </Button>
        </footer>
      </form>
    </Dialog>
  );
}
