/** What surrounds every page: the menu, the way out, and a bar that says when the gateway does not answer. */

import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { endSession } from '../api/admin-session.ts';
import { useAddress } from '../state/router.ts';
import { shortcutHelpOpen } from '../state/shortcuts.ts';
import { Icon, type IconName } from '../ui/icon.tsx';
import { Brand } from './brand.tsx';
import { ConnectionBar } from './connection-bar.tsx';
import { ThemeSwitch } from './theme-switch.tsx';

const PAGES: readonly { url: string; label: string; icon: IconName }[] = [
  { url: '/dashboard', label: 'Live', icon: 'live' },
  { url: '/dashboard/keys', label: 'Keys', icon: 'key' },
  { url: '/dashboard/usage', label: 'Usage', icon: 'usage' },
  { url: '/dashboard/requests', label: 'Requests', icon: 'requests' },
  { url: '/dashboard/playground', label: 'Playground', icon: 'playground' },
  { url: '/dashboard/connect', label: 'Connect', icon: 'connect' },
  { url: '/dashboard/settings', label: 'Settings', icon: 'settings' },
];

export function Shell({ children }: { children: ComponentChildren }) {
  const { path } = useAddress();
  const [menuOpen, setMenuOpen] = useState(false);
  // On a narrow screen the menu closes when it was used.
  useEffect(() => setMenuOpen(false), [path]);
  return (
    <div class={menuOpen ? 'shell menu-open' : 'shell'}>
      <a class="skip-link" href="#content">
        Skip to the content
      </a>
      <header class="side">
        <Brand menuOpen={menuOpen} onToggleMenu={() => setMenuOpen(!menuOpen)} />
        <nav aria-label="Pages">
          <ul>
            {PAGES.map(({ url, label, icon }) => (
              <li key={url}>
                <a href={url} aria-current={isIn(path, url) ? 'page' : undefined}>
                  <Icon name={icon} />
                  {label}
                </a>
              </li>
            ))}
          </ul>
          <ul class="side-end">
            <li>
              <a href="/docs">
                <Icon name="book" />
                API reference
              </a>
            </li>
            <li>
              <button type="button" onClick={() => shortcutHelpOpen.set(true)}>
                <Icon name="keyboard" />
                Keyboard
                <kbd>?</kbd>
              </button>
            </li>
            <li>
              <button type="button" onClick={() => endSession()}>
                <Icon name="leave" />
                Sign out
              </button>
            </li>
          </ul>
          <ThemeSwitch />
        </nav>
      </header>
      <div class="content">
        <ConnectionBar />
        {children}
      </div>
    </div>
  );
}

function isIn(path: string, url: string): boolean {
  if (url === '/dashboard') return path === url;
  return path === url || path.startsWith(`${url}/`) || (url === '/dashboard/requests' && path === '/dashboard/request');
}
