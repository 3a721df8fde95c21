/** Light or dark: the system's choice unless the reader made one, which this browser remembers. */
import { SharedState } from './shared-state.ts';

export const THEME_CHOICES = ['system', 'light', 'dark'] as const;
export type ThemeChoice = (typeof THEME_CHOICES)[number];

const STORAGE_NAME = 'bve-theme';
const systemIsDark = window.matchMedia('(prefers-color-scheme: dark)');

export const themeChoice = new SharedState<ThemeChoice>(readChoice());
/** What is in effect; plots are drawn again when it changes. */
export const theme = new SharedState<'light' | 'dark'>(effective());

export function startTheme(): void {
  const apply = () => {
    document.documentElement.dataset.theme = effective();
    theme.set(effective());
  };
  systemIsDark.addEventListener('change', apply);
  themeChoice.subscribe(() => {
    localStorage.setItem(STORAGE_NAME, themeChoice.value);
    apply();
  });
  apply();
}

function effective(): 'light' | 'dark' {
  if (themeChoice.value !== 'system') return themeChoice.value;
  return systemIsDark.matches ? 'dark' : 'light';
}

function readChoice(): ThemeChoice {
  const stored = localStorage.getItem(STORAGE_NAME);
  return THEME_CHOICES.find((choice) => choice === stored) ?? 'system';
}
