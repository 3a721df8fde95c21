/** Where the reader is: the path and the query of the address. Links are ordinary links; clicks on ours stay in the page. */
import { SharedState, useSharedState } from './shared-state.ts';

interface PageAddress {
  readonly path: string;
  readonly query: URLSearchParams;
}

const address = new SharedState<PageAddress>(read());

export function useAddress(): PageAddress {
  return useSharedState(address);
}

export function go(url: string): void {
  history.pushState(null, '', url);
  address.set(read());
  window.scrollTo(0, 0);
}

/** Changes parameters of the query without a step in the browser's history; an empty value removes one. */
export function setParameters(changes: Readonly<Record<string, string | null | undefined>>): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  history.replaceState(null, '', text === '' ? location.pathname : `${location.pathname}?${text}`);
  address.set(read());
}

/** Call once. */
export function followLinks(): void {
  window.addEventListener('popstate', () => address.set(read()));
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0) return;
    // With these the reader asks for a new tab or a download.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (link === null || link.target !== '' || link.hasAttribute('download') || !isOurs(link)) return;
    event.preventDefault();
    go(link.href);
  });
}

function isOurs(link: HTMLAnchorElement): boolean {
  if (link.origin !== location.origin) return false;
  const { pathname } = link;
  if (pathname === '/docs') return link.hash === '' || location.pathname !== '/docs';
  return (
    (pathname === '/dashboard' || pathname.startsWith('/dashboard/')) && !pathname.startsWith('/dashboard/assets/')
  );
}

function read(): PageAddress {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}
