import { useEffect, useState } from 'preact/hooks';
import { notify } from '../state/notices.ts';
import { Button } from './button.tsx';

const CONFIRMED_MS = 2_000;

/** `what` completes "Copy …" for those who cannot see what it stands beside. */
export function CopyButton({ text, what, withLabel = false }: { text: string; what: string; withLabel?: boolean }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return;
    const timer = setTimeout(() => setDone(false), CONFIRMED_MS);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    try {
      await copyText(text);
      setDone(true);
    } catch {
      notify('This browser does not let the page copy. Select the text and copy it yourself.', true);
    }
  };
  const icon = done ? 'check' : 'copy';
  if (!withLabel) {
    return <Button kind="quiet" icon={icon} label={done ? 'Copied' : `Copy ${what}`} onPress={() => void copy()} />;
  }
  return (
    <Button icon={icon} onPress={() => void copy()}>
      {done ? 'Copied' : `Copy ${what}`}
    </Button>
  );
}

/** The clipboard of browsers exists only under https and on localhost; elsewhere the old way still works. */
async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'off-screen';
  // Inside an open dialog, because everything outside of it is inert.
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  if (!copied) throw new Error('copy was refused');
}
