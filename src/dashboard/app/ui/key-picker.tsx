/** Chooses a key by typing a part of its name. A list of suggestions of the browser's own, so ten thousand keys are no burden. */
import { useEffect, useId, useState } from 'preact/hooks';
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
  useEffect(() => setText(name), [name]);

  const choose = (typed: string) => {
    setText(typed);
    if (typed.trim() === '') return onChange(null);
    const found = keys.find((key) => key.name === typed || key.id === typed);
    if (found && found.id !== keyId) onChange(found.id);
  };
  return (
    <InlineField label="Key">
      {(id) => (
        <>
          <input
            id={id}
            value={text}
            list={listId}
            placeholder="all"
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => choose(event.currentTarget.value)}
            onChange={(event) => {
              // Whoever leaves the field with a part of a name means the first key that has it.
              const first = suggestions(keys, event.currentTarget.value)[0];
              if (event.currentTarget.value.trim() === '') onChange(null);
              else if (first) onChange(first.id);
              else setText(name);
            }}
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

function suggestions(keys: readonly KeyObject[], typed: string): KeyObject[] {
  const wanted = typed.trim().toLowerCase();
  const found: KeyObject[] = [];
  for (const key of keys) {
    if (key.name.toLowerCase() === wanted) found.unshift(key);
    else if (key.name.toLowerCase().includes(wanted)) found.push(key);
    if (found.length >= SUGGESTIONS) break;
  }
  return found;
}
