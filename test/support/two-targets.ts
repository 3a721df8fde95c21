/** A gateway with two targets, `good` and `bad`, each a mock of its own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { ADMIN_KEY, admin } from '../admin/admin-client.ts';
import { type GatewayProcess, startGatewayProcess } from './gateway.ts';

interface TargetStatus {
  readonly name: string;
  readonly state: string;
  readonly in_flight: number;
  readonly attempts: number;
  readonly failures: number;
  readonly quota_available: number | null;
  readonly quota_reset: string | null;
  readonly rests_until: string | null;
}

export interface TwoTargets extends AsyncDisposable {
  readonly gateway: GatewayProcess;
  readonly good: MockServer;
  readonly bad: MockServer;
  readonly configFile: string;
  /** Writes `[[targets]]` with further lines for each. */
  configure(lines: { good?: string; bad?: string | null; top?: string }): void;
  chat(fields?: object, headers?: Record<string, string>): Promise<Response>;
  status(name: string): Promise<TargetStatus>;
}

export async function startTwoTargets(
  env: Record<string, string> = {},
  lines: { good?: string; bad?: string; top?: string } = {},
): Promise<TwoTargets> {
  const folder = mkdtempSync(join(tmpdir(), 'bve-targets-'));
  const configFile = join(folder, 'bve.toml');
  // A minute of load is counted by what it received.
  const good = startMock({ requestsMax: 100_000 });
  const bad = startMock({ requestsMax: 100_000 });
  const configure = (given: { good?: string; bad?: string | null; top?: string }) => {
    const table = (name: string, { url }: MockServer, rest = '') =>
      `[[targets]]\nname = "${name}"\nbase_url = "${url}"\napi_key = "fx-key-of-${name}"\n${rest}\n`;
    const badTable = given.bad === null ? '' : table('bad', bad, given.bad);
    writeFileSync(configFile, `${given.top ?? ''}\n${table('good', good, given.good)}${badTable}`);
  };
  configure(lines);
  const gateway = await startGatewayProcess({
    upstreamUrl: '',
    env: { FUELIX_API_KEY: '', ADMIN_API_KEY: ADMIN_KEY, ...env },
    folder,
    args: ['--config', configFile],
  });
  return {
    gateway,
    good,
    bad,
    configFile,
    configure,
    chat: (fields = {}, headers = {}) =>
      fetch(`${gateway.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${gateway.key}`, 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ model: 'm', messages: [], ...fields }),
      }),
    status: async (name) => {
      const { targets } = (await admin(gateway, '/targets')) as { targets: TargetStatus[] };
      return targets.find((target) => target.name === name)!;
    },
    [Symbol.asyncDispose]: async () => {
      await gateway.stop();
      await Promise.all([good.stop(), bad.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
