/** Edit, suspend, activate, rotate, revoke, delete: each says before what it does. */
import { useState } from 'preact/hooks';
import { changeKeyStatus, deleteKey, isApiError, rotateKey, type StatusChange } from '../../api/admin-client.ts';
import type { IssuedKey, KeyObject } from '../../api/api-types.ts';
import { keyDeleted } from '../../state/key-directory.ts';
import { notify } from '../../state/notices.ts';
import { go } from '../../state/router.ts';
import { Button } from '../../ui/button.tsx';
import { Select } from '../../ui/choice.tsx';
import { ConfirmDialog } from '../../ui/confirm-dialog.tsx';
import { EditKeyDialog } from './edit-key-dialog.tsx';
import { SecretDialog } from './secret-dialog.tsx';

interface KeyActionsProps {
  readonly apiKey: KeyObject;
  readonly onChanged: (key: KeyObject) => void;
}

type Open = 'edit' | 'suspend' | 'rotate' | 'revoke' | 'delete' | null;

const GRACES = [
  { value: '0', label: 'none: the old key ends now' },
  { value: '3600', label: '1 hour' },
  { value: '86400', label: '1 day' },
  { value: '604800', label: '7 days' },
] as const;

export function KeyActions({ apiKey, onChanged }: KeyActionsProps) {
  const [open, setOpen] = useState<Open>(null);
  const [grace, setGrace] = useState<(typeof GRACES)[number]['value']>('86400');
  const [issued, setIssued] = useState<IssuedKey | null>(null);
  const close = () => setOpen(null);
  const { id, name, status } = apiKey;

  const change = async (to: StatusChange, said: string) => {
    onChanged(await changeKeyStatus(id, to));
    notify(said);
    close();
  };
  const activate = () =>
    change('activate', `${name} is active again.`).catch((error: unknown) =>
      notify(isApiError(error) ? error.message : String(error), true),
    );
  const rotate = async () => {
    const { key, ...rest } = await rotateKey(id, Number(grace));
    onChanged(rest);
    setIssued({ ...rest, key });
    close();
  };
  const remove = async () => {
    await deleteKey(id);
    keyDeleted(id);
    notify(`${name} is deleted.`);
    go('/dashboard/keys');
  };

  return (
    <>
      {status === 'revoked' ? (
        <Button kind="danger" onPress={() => setOpen('delete')}>
          Delete
        </Button>
      ) : (
        <>
          <Button onPress={() => setOpen('edit')}>Edit</Button>
          <Button onPress={() => setOpen('rotate')}>Rotate</Button>
          {status === 'active' ? (
            <Button onPress={() => setOpen('suspend')}>Suspend</Button>
          ) : (
            <Button onPress={() => void activate()}>Activate</Button>
          )}
          <Button kind="danger" onPress={() => setOpen('revoke')}>
            Revoke
          </Button>
        </>
      )}
      {open === 'edit' && <EditKeyDialog apiKey={apiKey} onChanged={onChanged} onClose={close} />}
      {open === 'suspend' && (
        <ConfirmDialog
          title={`Suspend ${name}?`}
          action="Suspend"
          onConfirm={() => change('suspend', `${name} is suspended.`)}
          onClose={close}
        >
          <p>Its next request is refused with 403. Requests in flight go on. You can activate it again at any time.</p>
        </ConfirmDialog>
      )}
      {open === 'rotate' && (
        <ConfirmDialog title={`Rotate ${name}?`} action="Rotate" onConfirm={rotate} onClose={close}>
          <p>It gets a new secret. Limits, settings and usage stay. During the grace both secrets work.</p>
          <Select label="Grace" options={GRACES} value={grace} onChange={setGrace} />
        </ConfirmDialog>
      )}
      {open === 'revoke' && (
        <ConfirmDialog
          title={`Revoke ${name}?`}
          action="Revoke"
          isDangerous
          typeToConfirm={name}
          onConfirm={() => change('revoke', `${name} is revoked.`)}
          onClose={close}
        >
          <p>Its next request is refused with 403, for ever: a revoked key cannot be activated. Its usage stays.</p>
        </ConfirmDialog>
      )}
      {open === 'delete' && (
        <ConfirmDialog title={`Delete ${name}?`} action="Delete" isDangerous onConfirm={remove} onClose={close}>
          <p>The key disappears from all lists. What it has used stays in the totals.</p>
        </ConfirmDialog>
      )}
      {issued !== null && (
        <SecretDialog
          title={`New secret: ${issued.name}`}
          secret={issued.key}
          note={grace === '0' ? 'The old one no longer works.' : `The old one works for another ${graceText(grace)}.`}
          onClose={() => setIssued(null)}
        />
      )}
    </>
  );
}

function graceText(grace: string): string {
  return GRACES.find(({ value }) => value === grace)?.label ?? `${grace} s`;
}
