import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

/** A field of a toolbar with its label in one box. */
export function InlineField({ label, children }: { label: string; children: (id: string) => ComponentChildren }) {
  const id = useId();
  return (
    <span class="select">
      <label for={id}>{label}</label>
      {children(id)}
    </span>
  );
}
