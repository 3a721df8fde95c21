/** A sentence in which `backquotes` mark code, as in the documentation. */
export function InlineCode({ text }: { text: string }) {
  // Every other part is between two backquotes.
  const parts = text.split('`');
  return <>{parts.map((part, i) => (i % 2 === 1 ? <code key={i}>{part}</code> : part))}</>;
}
