import { useId } from 'preact/hooks';
import { useSharedState } from '../state/shared-state.ts';
import { THEME_CHOICES, type ThemeChoice, themeChoice } from '../state/theme.ts';
import { Icon } from '../ui/icon.tsx';

const LABELS: Readonly<Record<ThemeChoice, string>> = { system: 'As the system', light: 'Light', dark: 'Dark' };

export function ThemeSwitch() {
  const chosen = useSharedState(themeChoice);
  const name = useId();
  return (
    <fieldset class="theme-switch">
      <legend class="off-screen">Theme</legend>
      {THEME_CHOICES.map((choice) => (
        <label key={choice} title={LABELS[choice]} class={choice === chosen ? 'chosen' : ''}>
          <input
            type="radio"
            name={name}
            aria-label={LABELS[choice]}
            checked={choice === chosen}
            onChange={() => themeChoice.set(choice)}
          />
          <Icon name={choice} />
        </label>
      ))}
    </fieldset>
  );
}
