import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Button } from './button.tsx';

interface DialogProps {
  readonly title: string;
  readonly children: ComponentChildren;
  readonly onClose: () => void;
  /** It holds what is shown only once: neither Escape nor a click beside it closes it. */
  readonly mustBeConfirmed?: boolean;
  readonly wide?: boolean;
}

/** A modal dialog of the browser's own: it keeps the focus, makes the rest inert, and gives the focus back in the end. */
export function Dialog({ title, children, onClose, mustBeConfirmed = false, wide = false }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current!.showModal();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={wide ? 'dialog wide' : 'dialog'}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        if (!mustBeConfirmed) onClose();
      }}
    >
      <header>
        <h2 id={titleId}>{title}</h2>
        {!mustBeConfirmed && <Button kind="quiet" icon="close" label="Close" onPress={onClose} />}
      </header>
      {children}
    </dialog>
  );
}
