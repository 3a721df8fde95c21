import { CopyButton } from './copy-button.tsx';

/** Text to be copied as it is. */
export function CodeBlock({ text, label }: { text: string; label: string }) {
  return (
    <figure class="code-block">
      <figcaption>
        <span>{label}</span>
        <CopyButton text={text} what={label} />
      </figcaption>
      <pre
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys scroll it
        tabIndex={0}
      >
        <code>{text}</code>
      </pre>
    </figure>
  );
}
