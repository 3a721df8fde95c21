/** Sends one prompt with a client key and shows how the answer arrives. Key and prompt live in this page's memory only. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { isApiError } from '../../api/admin-client.ts';
import { useSharedState } from '../../state/shared-state.ts';
import { Button } from '../../ui/button.tsx';
import { Segments } from '../../ui/choice.tsx';
import { Page } from '../../ui/page.tsx';
import { listModels } from './client-api.ts';
import { PlaygroundOutput } from './playground-output.tsx';
import { APIS, type ApiName, type Prompt } from './prompt.ts';
import { PlaygroundRun } from './run.ts';

const KEY_FORM = /^sk-bve-[0-9a-f]{64}$/;

export function PlaygroundPage() {
  const run = useMemo(() => new PlaygroundRun(), []);
  useEffect(() => () => run.stop(), [run]);
  const state = useSharedState(run.state);
  const [key, setKey] = useState('');
  const [api, setApi] = useState<ApiName>('chat');
  const [model, setModel] = useState('');
  const [system, setSystem] = useState('');
  const [text, setText] = useState('What is a gateway? Answer in three sentences.');
  const [maxTokens, setMaxTokens] = useState('');
  const models = useModels(key.trim());
  const isRunning = state.phase === 'sending' || state.phase === 'streaming';
  const isKey = KEY_FORM.test(key.trim());
  const prompt: Prompt = {
    api,
    model: model.trim(),
    system: system.trim(),
    text,
    maxTokens: /^[1-9]\d*$/.test(maxTokens.trim()) ? Number(maxTokens) : null,
  };
  const send = (event: Event) => {
    event.preventDefault();
    if (!isRunning && isKey && prompt.model !== '') void run.start(prompt, key.trim());
  };

  return (
    <Page title="Playground">
      <div class="playground">
        <form class="panel playground-form" onSubmit={send}>
          <label class="field">
            <span>Client key</span>
            <input
              type="password"
              value={key}
              placeholder="sk-bve-…"
              autocomplete="off"
              spellcheck={false}
              aria-describedby="key-hint"
              onInput={(event) => setKey(event.currentTarget.value)}
            />
            <small id="key-hint" class={key !== '' && !isKey ? 'problem' : ''}>
              {key !== '' && !isKey ? (
                'A client key is sk-bve- and 64 hex digits.'
              ) : (
                <>
                  Kept in memory only, gone when you leave this page. None yet?{' '}
                  <a href="/dashboard/keys">Create one.</a>
                </>
              )}
            </small>
          </label>
          <Segments label="API" options={APIS} value={api} onChange={setApi} />
          <label class="field">
            <span>Model</span>
            <input
              value={model}
              list="playground-models"
              autocomplete="off"
              spellcheck={false}
              placeholder={models.names[0] ?? 'gpt-4o'}
              onInput={(event) => setModel(event.currentTarget.value)}
            />
            <datalist id="playground-models">
              {models.names.map((name) => (
                <option key={name} value={name} />
              ))}
            </datalist>
            <small class={models.error === null ? '' : 'problem'}>{modelHint(models, isKey)}</small>
          </label>
          <label class="field">
            <span>System prompt</span>
            <textarea
              rows={2}
              value={system}
              placeholder="none"
              onInput={(event) => setSystem(event.currentTarget.value)}
            />
          </label>
          <label class="field">
            <span>Prompt</span>
            <textarea
              rows={5}
              value={text}
              required
              onInput={(event) => setText(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) send(event);
              }}
            />
          </label>
          <label class="field short">
            <span>Longest answer, tokens</span>
            <input
              value={maxTokens}
              inputMode="numeric"
              placeholder={api === 'messages' ? '1024' : 'no limit'}
              autocomplete="off"
              onInput={(event) => setMaxTokens(event.currentTarget.value)}
            />
          </label>
          <div class="dialog-actions">
            <small class="muted">Ctrl + Enter sends</small>
            {/* Two buttons with keys: one that turned into the other while it is clicked would send again at once. */}
            {isRunning ? (
              <Button key="stop" onPress={() => run.stop()}>
                Stop
              </Button>
            ) : (
              <Button key="send" type="submit" kind="primary" disabled={!isKey || prompt.model === ''}>
                Send
              </Button>
            )}
          </div>
        </form>
        <PlaygroundOutput state={state} prompt={prompt} />
      </div>
    </Page>
  );
}

interface Models {
  readonly names: readonly string[];
  readonly error: string | null;
  readonly loading: boolean;
}

/** Asked for once a whole key has been pasted. */
function useModels(key: string): Models {
  const [models, setModels] = useState<Models>({ names: [], error: null, loading: false });
  useEffect(() => {
    if (!KEY_FORM.test(key)) {
      setModels({ names: [], error: null, loading: false });
      return;
    }
    const abort = new AbortController();
    setModels({ names: [], error: null, loading: true });
    listModels(key, abort.signal).then(
      (names) => setModels({ names, error: null, loading: false }),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        setModels({ names: [], error: isApiError(error) ? error.message : String(error), loading: false });
      },
    );
    return () => abort.abort();
  }, [key]);
  return models;
}

function modelHint({ names, error, loading }: Models, isKey: boolean): string {
  if (!isKey) return 'The list comes with the key.';
  if (loading) return 'Asking for the models of this key…';
  if (error !== null) return error;
  return names.length === 0 ? 'No model is listed: type a name.' : `${names.length} models, type to choose.`;
}
