/** `bve check`: the effective configuration, or whether a running gateway is healthy (for a container's health check). */
import { get } from 'node:http';
import { loadAddress, loadConfig } from '../config/load.ts';
import { type Config, OPTIONS, type OptionName } from '../config/schema.ts';
import { type Arguments, type Command, CommandFailure, textFlag } from './command.ts';
import { CONFIG_DETAILS, CONFIG_FLAGS } from './config-flags.ts';

const HEALTH_TIMEOUT_MS = 2000;

export const check: Command = {
  name: 'check',
  summary: 'print the effective configuration, secrets redacted',
  options: {
    ...CONFIG_FLAGS,
    json: { type: 'boolean', help: 'as JSON' },
    health: { type: 'boolean', help: 'instead: exit code 0 when the gateway on HOST and PORT answers /health, else 1' },
  },
  details: `${CONFIG_DETAILS}

A configuration with which 'bve serve' would not start is exit code 2, and every problem of it is named.`,
  async run(args) {
    if (args.flags.health) return checkHealth(args);
    const { config, sources } = loadConfig({ configFile: textFlag(args, 'config'), flags: args.flags });
    print(config, sources, args);
    return 0;
  },
};

function print(config: Config, sources: Readonly<Record<OptionName, string>>, args: Arguments): void {
  const rows = (Object.keys(OPTIONS) as OptionName[]).map((name) => {
    const value = config[name];
    return {
      name: OPTIONS[name].env,
      value: value !== undefined && OPTIONS[name].secret ? '***' : value,
      source: sources[name],
    };
  });
  if (args.flags.json) {
    const object = Object.fromEntries(
      rows.map((row) => [row.name.toLowerCase(), { value: row.value ?? null, source: row.source }]),
    );
    process.stdout.write(`${JSON.stringify(object, null, 2)}\n`);
    return;
  }
  const width = Math.max(...rows.map((row) => row.name.length)) + 2;
  for (const row of rows) process.stdout.write(`${row.name.padEnd(width)}${row.value ?? '(unset)'}  (${row.source})\n`);
}

/** Asks for nothing but HOST and PORT: in a container it runs beside the server, perhaps without the server's secrets. */
async function checkHealth(args: Arguments): Promise<number> {
  const { host, port } = loadAddress({ configFile: textFlag(args, 'config'), flags: args.flags });
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  const status = await statusOf({ host: reachable, port, path: '/health' });
  if (status !== 200) throw new CommandFailure(`/health on ${reachable} port ${port} answered ${status}`);
  return 0;
}

/** node:http and not fetch, which would ask an HTTP proxy of the environment for this machine's own port. */
function statusOf(target: { host: string; port: number; path: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get({ ...target, timeout: HEALTH_TIMEOUT_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', (error) => {
      reject(new CommandFailure(`/health on ${target.host} port ${target.port}: ${error.message}`));
    });
  });
}
