import { ENDPOINT_NAMES } from '../../api/api-types.ts';
import { type KeyDraft, LIMIT_FIELDS } from './key-form.ts';

interface FieldsProps {
  readonly draft: KeyDraft;
  readonly onChange: (draft: KeyDraft) => void;
}

/** The fields of a new key and of one that is edited. */
export function KeyFormFields({ draft, onChange }: FieldsProps) {
  const set = (change: Partial<KeyDraft>) => onChange({ ...draft, ...change });
  return (
    <>
      <label class="field">
        <span>Name</span>
        <input
          value={draft.name}
          required
          maxLength={255}
          autocomplete="off"
          placeholder="who or what uses it"
          onInput={(event) => set({ name: event.currentTarget.value })}
        />
      </label>
      <fieldset class="group">
        <legend>Limits</legend>
        <div class="field-grid">
          {LIMIT_FIELDS.map(({ field, label }) => (
            <label key={field} class="field">
              <span>{label}</span>
              <input
                value={draft[field]}
                inputMode="numeric"
                autocomplete="off"
                placeholder="no limit"
                onInput={(event) => set({ [field]: event.currentTarget.value })}
              />
            </label>
          ))}
          <label class="field">
            <span>Expires</span>
            <input
              type="datetime-local"
              value={draft.expires_at}
              onInput={(event) => set({ expires_at: event.currentTarget.value })}
            />
          </label>
        </div>
      </fieldset>
      <details class="group" open={isSpecial(draft)}>
        <summary>Models, endpoints, tags and more</summary>
        <div class="field-grid two">
          <label class="field">
            <span>Allowed models</span>
            <textarea
              rows={3}
              value={draft.allowed_models}
              placeholder="all; or one name a line"
              spellcheck={false}
              onInput={(event) => set({ allowed_models: event.currentTarget.value })}
            />
          </label>
          <label class="field">
            <span>Tags</span>
            <textarea
              rows={3}
              value={draft.tags}
              placeholder={'team=search\none a line, at most 8'}
              spellcheck={false}
              onInput={(event) => set({ tags: event.currentTarget.value })}
            />
          </label>
        </div>
        <EndpointChoice draft={draft} onChange={onChange} />
        <div class="field-grid two">
          <label class="field">
            <span>Usage of streams</span>
            <select
              value={draft.inject_stream_usage}
              onChange={(event) =>
                set({ inject_stream_usage: event.currentTarget.value as KeyDraft['inject_stream_usage'] })
              }
            >
              <option value="auto">automatic: on with a token limit</option>
              <option value="on">on: ask upstream to report it</option>
              <option value="off">off: only if the client asks</option>
            </select>
          </label>
          <label class="field">
            <span>When a client leaves early</span>
            <select
              value={draft.on_leave}
              onChange={(event) => set({ on_leave: event.currentTarget.value as KeyDraft['on_leave'] })}
            >
              <option value="auto">automatic: read on with a token limit</option>
              <option value="drain">read on, to learn the usage</option>
              <option value="cancel">cancel upstream at once</option>
            </select>
          </label>
        </div>
      </details>
    </>
  );
}

function EndpointChoice({ draft, onChange }: FieldsProps) {
  const { allowed_endpoints: allowed } = draft;
  const set = (next: KeyDraft['allowed_endpoints']) => onChange({ ...draft, allowed_endpoints: next });
  return (
    <fieldset class="checks">
      <legend>Allowed endpoints</legend>
      <label class="check">
        <input
          type="checkbox"
          checked={allowed === null}
          onChange={(event) => set(event.currentTarget.checked ? null : [])}
        />
        all
      </label>
      {allowed !== null &&
        ENDPOINT_NAMES.map((name) => (
          <label key={name} class="check">
            <input
              type="checkbox"
              checked={allowed.includes(name)}
              onChange={(event) =>
                set(event.currentTarget.checked ? [...allowed, name] : allowed.filter((other) => other !== name))
              }
            />
            {name}
          </label>
        ))}
    </fieldset>
  );
}

function isSpecial(draft: KeyDraft): boolean {
  return (
    draft.allowed_models !== '' ||
    draft.tags !== '' ||
    draft.allowed_endpoints !== null ||
    draft.inject_stream_usage !== 'auto' ||
    draft.on_leave !== 'auto'
  );
}
