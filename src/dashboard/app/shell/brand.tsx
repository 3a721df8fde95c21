import { Button } from '../ui/button.tsx';

interface BrandProps {
  readonly menuOpen: boolean;
  readonly onToggleMenu: () => void;
}

/** The name above a page's menu, and on a narrow screen the button that opens the menu. */
export function Brand({ menuOpen, onToggleMenu }: BrandProps) {
  return (
    <div class="brand">
      <a href="/dashboard">BVE Gateway</a>
      <span class="menu-button">
        <Button
          kind="quiet"
          icon={menuOpen ? 'close' : 'menu'}
          label={menuOpen ? 'Close the menu' : 'Open the menu'}
          onPress={onToggleMenu}
        />
      </span>
    </div>
  );
}
