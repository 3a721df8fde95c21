/** Chooses a key by typing a part of its name. A list of suggestions of the browser's own, so ten thousand keys are no burden. */
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { KeyObject } from '../api/api-types.ts';
import { keyDirectory } from '../state/key-directory.ts';
import { useSharedState } from '../state/shared-state.ts';
import { InlineField } from './inline-field.tsx';

interface KeyPickerProps {
  readonly keyId: string;
  readonly name: string;
  readonly onChange: (id: string | null) => void;
}

const SUGGESTIONS = 20;

export function KeyPicker({ keyId, name, onChange }: KeyPickerProps) {
  const { keys } = useSharedState(keyDirectory);
  const listId = useId();
  const [text, setText] = useState(name);
  // What was chosen here comes back as `name` a moment later, when more may have been typed.
  const reported = useRef(keyId);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (keyId === reported.current && document.activeElement === field.current) return;
    reported.current = keyId;
    setText(name);
  }, [keyId, name]);

  const report = (key: KeyObject | null) => {
    reported.current = key?.id ?? '';
    if (reported.current !== keyId) onChange(key?.id ?? null);
  };
  const type = (typed: string) => {
    setText(typed);
    const exact = exactly(keys, typed);
    if (typed.trim() === '') report(null);
    else if (exact) report(exact);
  };
  /** Whoever leaves the field with a part of a name means the first key that has it. */
  const leave = (typed: string) => {
    const first = typed.trim() === '' ? null : (exactly(keys, typed) ?? suggestions(keys, typed)[0]);
    if (first === undefined) setText(name);
    else {
      report(first);
      setText(first?.name ?? '');
    }
  };
  return (
    <InlineField label="Key">
      {(id) => (
        <>
          <input
            ref={field}
            id={id}
            value={text}
            list={listId}
            placeholder="all"
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => type(event.currentTarget.value)}
            onChange={(event) => leave(event.currentTarget.value)}
          />
          <datalist id={listId}>
            {suggestions(keys, text).map((key) => (
              <option key={key.id} value={key.name} />
            ))}
          </datalist>
        </>
      )}
    </InlineField>
  );
}

function exactly(keys: readonly KeyObject[], typed: string): KeyObject | undefined {
  return keys.find((key) => key.name === typed || key.id === typed);
}

function suggestions(keys: readonly KeyObject[], typed: string): KeyObject[] {
  const wanted = typed.trim().toLowerCase();
  const found: KeyObject[] = [];
  for (const key of keys) {
    if (key.name.toLowerCase().includes(wanted)) found.push(key);
    if (found.length >= SUGGESTIONS) break;
  }
  return found;
}
