/** Which page an address shows. Everything but the API reference needs the admin key first. */
import { adminSession } from './api/admin-session.ts';
import { ConnectPage } from './pages/connect/connect-page.tsx';
import { DocsPage } from './pages/docs/docs-page.tsx';
import { KeyPage } from './pages/keys/key-page.tsx';
import { KeysPage } from './pages/keys/keys-page.tsx';
import { LivePage } from './pages/live/live-page.tsx';
import { PlaygroundPage } from './pages/playground/playground-page.tsx';
import { RequestPage } from './pages/requests/request-page.tsx';
import { RequestsPage } from './pages/requests/requests-page.tsx';
import { SettingsPage } from './pages/settings/settings-page.tsx';
import { SignIn } from './pages/sign-in.tsx';
import { UsagePage } from './pages/usage/usage-page.tsx';
import { Notices } from './shell/notices.tsx';
import { Shell } from './shell/shell.tsx';
import { ShortcutHelp } from './shell/shortcut-help.tsx';
import { useAddress } from './state/router.ts';
import { useSharedState } from './state/shared-state.ts';
import { Page } from './ui/page.tsx';
import { Empty } from './ui/states.tsx';

export function App() {
  const { path } = useAddress();
  const { key } = useSharedState(adminSession);
  if (path === '/docs') return <DocsPage />;
  if (key === null) return <SignIn />;
  return (
    <Shell>
      <PageOf path={path} />
      <ShortcutHelp />
      <Notices />
    </Shell>
  );
}

function PageOf({ path }: { path: string }) {
  const [name, id, more] = path.split('/').slice(2);
  if (more !== undefined) return <NoSuchPage />;
  if (name === 'keys' && id) return <KeyPage key={id} id={decodeURIComponent(id)} />;
  if (id !== undefined) return <NoSuchPage />;
  switch (name) {
    case undefined:
      return <LivePage />;
    case 'keys':
      return <KeysPage />;
    case 'usage':
      return <UsagePage />;
    case 'requests':
      return <RequestsPage />;
    case 'request':
      return <RequestPage />;
    case 'playground':
      return <PlaygroundPage />;
    case 'connect':
      return <ConnectPage />;
    case 'settings':
      return <SettingsPage />;
    default:
      return <NoSuchPage />;
  }
}

function NoSuchPage() {
  return (
    <Page title="Not found">
      <Empty title="There is no such page">
        <p>
          Go to <a href="/dashboard">Live</a>, or choose a page from the menu.
        </p>
      </Empty>
    </Page>
  );
}
