/**
 * Keys that act without a modifier: `g` and a letter goes to a page, `/` to the search, `?` shows them all. They can be
 * switched off (WCAG 2.1.4), because they get in the way of some who speak to their machine.
 */
import { go } from './router.ts';
import { SharedState } from './shared-state.ts';

export const SHORTCUTS = [
  { keys: 'g l', label: 'Live', url: '/dashboard' },
  { keys: 'g k', label: 'Keys', url: '/dashboard/keys' },
  { keys: 'g u', label: 'Usage', url: '/dashboard/usage' },
  { keys: 'g r', label: 'Requests', url: '/dashboard/requests' },
  { keys: 'g p', label: 'Playground', url: '/dashboard/playground' },
  { keys: 'g c', label: 'Connect', url: '/dashboard/connect' },
  { keys: 'g s', label: 'Settings', url: '/dashboard/settings' },
] as const;

const STORAGE_NAME = 'bve-shortcuts';
const SECOND_KEY_WITHIN_MS = 1_500;

export const shortcutsOn = new SharedState(localStorage.getItem(STORAGE_NAME) !== 'off');
export const shortcutHelpOpen = new SharedState(false);

export function startShortcuts(): void {
  shortcutsOn.subscribe(() => localStorage.setItem(STORAGE_NAME, shortcutsOn.value ? 'on' : 'off'));
  let goAtMs = 0;
  document.addEventListener('keydown', (event) => {
    if (!shortcutsOn.value || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector('dialog[open]') !== null) return;
    const isSecond = Date.now() - goAtMs < SECOND_KEY_WITHIN_MS;
    goAtMs = 0;
    if (isSecond) {
      const target = SHORTCUTS.find(({ keys }) => keys === `g ${event.key}`);
      if (target === undefined) return;
      event.preventDefault();
      go(target.url);
    } else if (event.key === 'g') goAtMs = Date.now();
    else if (event.key === '/') focusSearch(event);
    else if (event.key === '?') shortcutHelpOpen.set(true);
    else press(event);
  });
}

function focusSearch(event: KeyboardEvent): void {
  const search = document.querySelector<HTMLInputElement>('input[type=search]');
  if (search === null) return;
  event.preventDefault();
  search.focus();
  search.select();
}

/** A button of the page may name a key of its own. */
function press(event: KeyboardEvent): void {
  if (event.key.length !== 1) return;
  const button = document.querySelector<HTMLButtonElement>(`button[aria-keyshortcuts="${CSS.escape(event.key)}"]`);
  if (button === null || button.disabled) return;
  event.preventDefault();
  button.click();
}

function isTyping(target: EventTarget | null): boolean {
  if (target instanceof HTMLInputElement) return !/^(radio|checkbox)$/.test(target.type);
  return target instanceof HTMLElement && (target.isContentEditable || /^(TEXTAREA|SELECT)$/.test(target.tagName));
}
