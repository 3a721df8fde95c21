/** `bve check`: the effective configuration, or whether a running gateway is healthy (for a container's health check). */
import { loadConfig } from '../config/load.ts';
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
    health: { type: 'boolean', help: 'instead: exit 0 when the gateway on this HOST and PORT answers /health, else 1' },
  },
  details: CONFIG_DETAILS,
  async run(args) {
    const { config, sources } = loadConfig({ configFile: textFlag(args, 'config'), flags: args.flags });
    if (args.flags.health) return checkHealth(config);
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

async function checkHealth({ host, port }: Config): Promise<number> {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host;
  const url = `http://${reachable}:${port}/health`;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) });
    if (response.status === 200) return 0;
    throw new CommandFailure(`${url} answered ${response.status}`);
  } catch (error) {
    if (error instanceof CommandFailure) throw error;
    throw new CommandFailure(`${url}: ${(error as Error).message}`);
  }
}
