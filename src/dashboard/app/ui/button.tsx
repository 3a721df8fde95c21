import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon.tsx';

interface ButtonProps {
  readonly children?: ComponentChildren;
  /** For those without text. */
  readonly label?: string;
  readonly kind?: 'primary' | 'plain' | 'quiet' | 'danger';
  readonly icon?: IconName;
  readonly onPress?: () => void;
  readonly type?: 'button' | 'submit';
  readonly disabled?: boolean;
  /** Its action is under way: it cannot be pressed again. */
  readonly busy?: boolean;
  readonly pressed?: boolean;
  readonly shortcut?: string;
  readonly title?: string;
}

export function Button({ children, label, kind = 'plain', icon, onPress, type = 'button', ...props }: ButtonProps) {
  const { disabled = false, busy = false, pressed, shortcut, title } = props;
  return (
    <button
      type={type}
      class={`button ${kind}${children === undefined ? ' icon-only' : ''}`}
      aria-label={label}
      aria-pressed={pressed}
      aria-busy={busy || undefined}
      aria-keyshortcuts={shortcut}
      title={title ?? label}
      disabled={disabled || busy}
      onClick={onPress}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}
