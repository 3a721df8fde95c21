/** Asks for the admin key, which this tab then keeps in sessionStorage. */
import { useState } from 'preact/hooks';
import { checkAdminKey, isApiError } from '../api/admin-client.ts';
import { adminSession, beginSession } from '../api/admin-session.ts';
import { useSharedState } from '../state/shared-state.ts';
import { Button } from '../ui/button.tsx';
import { ErrorNote } from '../ui/states.tsx';

export function SignIn() {
  const { endedBecause } = useSharedState(adminSession);
  const [key, setKey] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await checkAdminKey(key.trim());
      beginSession(key.trim());
    } catch (reason) {
      setError(explain(reason));
      setBusy(false);
    }
  };

  return (
    <main class="sign-in" id="content">
      <form onSubmit={(event) => void submit(event)}>
        <h1>BVE Gateway</h1>
        <label class="field">
          <span>Admin key</span>
          <input
            type="password"
            name="admin-key"
            value={key}
            autocomplete="off"
            autofocus
            spellcheck={false}
            aria-describedby="admin-key-hint"
            onInput={(event) => setKey(event.currentTarget.value)}
          />
          <small id="admin-key-hint">
            The value of <code>ADMIN_API_KEY</code>. It stays in this tab and is forgotten when you close it.
          </small>
        </label>
        {error === null && endedBecause !== null && <p class="note warn">{endedBecause}</p>}
        {error !== null && <ErrorNote>{error}</ErrorNote>}
        <Button type="submit" kind="primary" busy={busy} disabled={key.trim() === ''}>
          Sign in
        </Button>
        <p class="muted">
          No admin key? The <a href="/docs">API reference</a> can be read without one.
        </p>
      </form>
    </main>
  );
}

function explain(reason: unknown): string {
  if (!isApiError(reason)) return String(reason);
  switch (reason.kind) {
    case 'wrong_key':
      return 'This is not the admin key of this gateway.';
    case 'disabled':
      return 'The admin API of this gateway is off. Set ADMIN_API_KEY and restart it.';
    case 'unreachable':
      return 'The gateway does not answer. Is it running?';
    default:
      return reason.message;
  }
}
