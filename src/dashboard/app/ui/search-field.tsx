import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icon.tsx';

interface SearchFieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  /** Waits so long for further letters. */
  readonly delayMs?: number;
}

export function SearchField({ label, value, onChange, delayMs = 0 }: SearchFieldProps) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => setText(value), [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const change = (next: string) => {
    setText(next);
    clearTimeout(timer.current);
    if (delayMs === 0) onChange(next);
    else timer.current = setTimeout(() => onChange(next), delayMs);
  };
  return (
    <label class="search">
      <span class="off-screen">{label}</span>
      <Icon name="search" />
      <input
        type="search"
        placeholder={label}
        value={text}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => change(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          if (text === '') event.currentTarget.blur();
          else change('');
        }}
      />
      <kbd>/</kbd>
    </label>
  );
}
