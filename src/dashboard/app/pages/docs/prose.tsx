import { InlineCode } from '../../ui/inline-code.tsx';

/** Text of the document: paragraphs, lists and `code`. Anything else of Markdown is shown as it is written. */
export function Prose({ text }: { text: string }) {
  if (text.trim() === '') return null;
  const blocks = text.trim().split(/\n\s*\n/);
  return (
    <>
      {blocks.map((block) => {
        const lines = block.split('\n');
        const isList = lines.every((line) => /^\s*[-*] /.test(line));
        return isList ? (
          <ul key={block} class="prose-list">
            {lines.map((line) => (
              <li key={line}>
                <InlineCode text={line.replace(/^\s*[-*] /, '')} />
              </li>
            ))}
          </ul>
        ) : (
          <p key={block}>
            <InlineCode text={lines.join(' ')} />
          </p>
        );
      })}
    </>
  );
}
