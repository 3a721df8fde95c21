/** `bve check`: prints the effective configuration, or tests a running gateway (the health check of a container). */
import { get } from 'node:http';
import { reachableHost } from '../config/address.ts';
import { ConfigError } from '../config/config-error.ts';
import { type EffectiveOption, effectiveOptions, effectiveToJson } from '../config/effective.ts';
import { loadAddress, loadConfig } from '../config/load.ts';
import { print, printJson } from '../output.ts';
import { problemsOfMachine } from './check-machine.ts';
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

Exit code 2 means that 'bve serve' would not start with this configuration; every problem is named, including a HOST that
cannot be bound, a missing CA file, a DATABASE_URL in a missing folder, a Postgres that does not answer, and a Redis that refuses.`,
  async run(args) {
    if (args.flags.health) return checkHealth(args);
    const loaded = loadConfig({ configFile: textFlag(args, 'config'), flags: args.flags });
    const problems = await problemsOfMachine(loaded);
    if (problems.length > 0) throw new ConfigError(problems);
    const options = effectiveOptions(loaded);
    if (args.flags.json) printJson(effectiveToJson(options));
    else print(listOf(options));
    return 0;
  },
};

function listOf(options: readonly EffectiveOption[]): string {
  const width = Math.max(...options.map(({ env }) => env.length)) + 2;
  return options.map(({ env, value, source }) => `${env.padEnd(width)}${value ?? '(unset)'}  (${source})\n`).join('');
}

/** Needs only HOST and PORT: a container's health check may run without the server's secrets. */
async function checkHealth(args: Arguments): Promise<number> {
  const { host, port } = loadAddress({ configFile: textFlag(args, 'config'), flags: args.flags });
  const reachable = reachableHost(host);
  const status = await statusOf({ host: reachable, port, path: '/health' });
  if (status !== 200) throw new CommandFailure(`/health on ${reachable} port ${port} answered ${status}`);
  return 0;
}

/** Uses node:http because fetch would go through an HTTP proxy from the environment. */
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
