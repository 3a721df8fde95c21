/** A choice of few: a row of radio buttons that looks like one control, or a select when there are many. */
import { useId } from 'preact/hooks';
import { InlineField } from './inline-field.tsx';

interface Option<T extends string> {
  readonly value: T;
  readonly label: string;
  /** Shown behind the label. */
  readonly count?: string | undefined;
}

interface ChoiceProps<T extends string> {
  readonly label: string;
  readonly options: readonly Option<T>[];
  readonly value: T;
  readonly onChange: (value: T) => void;
}

export function Segments<T extends string>({ label, options, value, onChange }: ChoiceProps<T>) {
  const name = useId();
  return (
    <fieldset class="segments">
      <legend class="off-screen">{label}</legend>
      {options.map((option) => (
        <label key={option.value} class={option.value === value ? 'chosen' : ''}>
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          {option.label}
          {option.count !== undefined && <span class="count">{option.count}</span>}
        </label>
      ))}
    </fieldset>
  );
}

export function Select<T extends string>({ label, options, value, onChange }: ChoiceProps<T>) {
  return (
    <InlineField label={label}>
      {(id) => (
        <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
          {options.map((option) => (
            <option key={option.value} value={option.value}>
              {option.label}
            </option>
          ))}
        </select>
      )}
    </InlineField>
  );
}
