import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

interface PageProps {
  readonly title: string;
  /** Instead of the title as text, for example with the way back. */
  readonly heading?: ComponentChildren;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
  /** It is as high as the window, and a table in it scrolls. */
  readonly fill?: boolean;
}

let hasNavigated = false;

/** The frame of every page: its title, what can be done with the whole of it, its content. */
export function Page({ title, heading, actions, children, fill = false }: PageProps) {
  const h1 = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · BVE Gateway`;
  }, [title]);
  useEffect(() => {
    // Tells a screen reader that another page is there; not on arrival, when the browser does that.
    if (hasNavigated) h1.current?.focus({ preventScroll: true });
    hasNavigated = true;
  }, []);
  return (
    <main class={fill ? 'page fill' : 'page'} id="content">
      <header class="page-header">
        <h1 ref={h1} tabIndex={-1}>
          {heading ?? title}
        </h1>
        {actions && <div class="page-actions">{actions}</div>}
      </header>
      {children}
    </main>
  );
}

interface PanelProps {
  readonly title: string;
  readonly aside?: ComponentChildren;
  readonly children: ComponentChildren;
  readonly class?: string;
}

export function Panel({ title, aside, children, class: extra = '' }: PanelProps) {
  return (
    <section class={`panel ${extra}`} aria-label={title}>
      <header class="panel-header">
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}
