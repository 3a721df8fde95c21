/** How this gateway is set up and how it is: health, targets, effective configuration, drain; and what this browser remembers. */
import { useState } from 'preact/hooks';
import { beginDrain, getConfiguration, getReadiness, getTargets } from '../../api/admin-client.ts';
import { ShortcutSwitch } from '../../shell/shortcut-help.tsx';
import { ThemeSwitch } from '../../shell/theme-switch.tsx';
import { notify } from '../../state/notices.ts';
import { useQuery } from '../../state/use-query.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/confirm-dialog.tsx';
import { Page, Panel } from '../../ui/page.tsx';
import { Loaded } from '../../ui/states.tsx';
import { TargetsTable } from '../live/targets-table.tsx';
import { ConfigurationTable } from './configuration-table.tsx';

const REFRESH_MS = 5_000;

export function SettingsPage() {
  const readiness = useQuery('ready', getReadiness, { refreshMs: REFRESH_MS });
  const targets = useQuery('targets', getTargets, { refreshMs: REFRESH_MS });
  const configuration = useQuery('config', getConfiguration);
  const [draining, setDraining] = useState(false);
  const isDraining = readiness.data?.status === 'draining';
  return (
    <Page title="Settings">
      <div class="two-columns">
        <Panel title="Gateway">
          <dl class="facts">
            <div>
              <dt>Version</dt>
              <dd>{version()}</dd>
            </div>
            <div>
              <dt>Address</dt>
              <dd>
                <code>{location.origin}</code>
              </dd>
            </div>
            <div>
              <dt>Ready for requests</dt>
              <dd>
                <Loaded query={readiness} rows={1}>
                  {({ ready, status }) => <Badge tone={ready ? 'ok' : 'warn'}>{ready ? 'yes' : status}</Badge>}
                </Loaded>
              </dd>
            </div>
          </dl>
          <div class="panel-action">
            <p>
              <strong>Drain</strong>
              <br />
              <span class="muted">
                New requests get 503, open ones may finish. Do it before you take this gateway down; only a restart ends
                it.
              </span>
            </p>
            <Button kind="danger" disabled={isDraining} onPress={() => setDraining(true)}>
              {isDraining ? 'Draining' : 'Drain'}
            </Button>
          </div>
        </Panel>
        <Panel title="This browser">
          <dl class="facts">
            <div>
              <dt>Theme</dt>
              <dd>
                <ThemeSwitch />
              </dd>
            </div>
            <div>
              <dt>Keyboard</dt>
              <dd>
                <ShortcutSwitch />
              </dd>
            </div>
          </dl>
        </Panel>
      </div>
      <Loaded query={targets} rows={3}>
        {(list) => <TargetsTable targets={list} />}
      </Loaded>
      <Panel title="Configuration in effect" aside={<span class="muted">secrets are hidden</span>}>
        <Loaded query={configuration} rows={12}>
          {(values) => <ConfigurationTable values={values} />}
        </Loaded>
      </Panel>
      {draining && (
        <ConfirmDialog
          title="Drain this gateway?"
          action="Drain"
          isDangerous
          typeToConfirm="drain"
          onConfirm={async () => {
            await beginDrain();
            setDraining(false);
            notify('Draining: new requests are refused.');
            readiness.reload();
          }}
          onClose={() => setDraining(false)}
        >
          <p>
            From now on every new request is refused with 503 and <code>/ready</code> answers 503. Requests in flight
            may finish. It cannot be undone without a restart.
          </p>
        </ConfirmDialog>
      )}
    </Page>
  );
}

/** Put into the page by the gateway that served it. */
function version(): string {
  return document.querySelector<HTMLMetaElement>('meta[name=bve-version]')?.content ?? 'unknown';
}
