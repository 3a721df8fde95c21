/**
 * A script in a network of its own, where there is no route and no port but what the test makes: needs Linux, unshare
 * (util-linux) and root.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BARE_ENV } from './gateway.ts';

/** Why there are none here; null where there are. */
export function whyNoNamespaces(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are Linux only';
  if (!Bun.which('unshare') || !Bun.which('ip'))
    return 'network namespaces need unshare (util-linux) and ip (iproute2)';
  const tried = Bun.spawnSync(['unshare', '--net', '--mount', 'true'], { stdout: 'ignore', stderr: 'ignore' });
  return tried.exitCode === 0 ? null : 'network namespaces need root';
}

interface NamespaceOptions {
  /** Lines of /etc/hosts beside localhost. */
  readonly hosts?: readonly string[];
  /** Shell commands before the script. */
  readonly setup?: readonly string[];
}

/** What a script that runs there prints, as JSON. */
export async function inNamespace<T>(script: string, { hosts = [], setup = [] }: NamespaceOptions = {}): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'bve-netns-'));
  try {
    const file = join(folder, 'hosts');
    writeFileSync(file, `${['127.0.0.1 localhost', ...hosts].join('\n')}\n`);
    const commands = ['ip link set lo up', `mount --bind ${file} /etc/hosts`, ...setup];
    const child = Bun.spawn(
      ['unshare', '--net', '--mount', 'sh', '-ec', `${commands.join('\n')}\nexec "$@"`, 'sh', process.execPath, script],
      { env: BARE_ENV, stdout: 'pipe', stderr: 'pipe' },
    );
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    if (code !== 0 || err !== '') throw new Error(`exit code ${code}: ${err}`);
    return JSON.parse(out) as T;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
