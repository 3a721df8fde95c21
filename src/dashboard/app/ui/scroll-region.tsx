import type { ComponentChildren, RefObject } from 'preact';

interface ScrollRegionProps {
  readonly label: string;
  readonly class: string;
  readonly children: ComponentChildren;
  readonly scroller?: RefObject<HTMLDivElement | null>;
  readonly onScroll?: () => void;
  readonly onKeyDown?: (event: KeyboardEvent) => void;
}

/** What scrolls must be reachable by keyboard, and then it needs a name. */
export function ScrollRegion({ label, class: name, children, scroller, onScroll, onKeyDown }: ScrollRegionProps) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields, and a section a landmark, of which a page has few
    <div
      ref={scroller ?? null}
      role="group"
      class={name}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys scroll it
      tabIndex={0}
      aria-label={label}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      {children}
    </div>
  );
}
