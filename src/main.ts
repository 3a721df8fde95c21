/** `bve`: the first argument selects a command; each command is a file in cli/. */
import { type Command, type CommandGroup, runCommand, runGroup } from './cli/command.ts';
import { complain, OutputError, print } from './output.ts';

/** Commands are loaded on demand, so that `bve version` does not load the server. */
const COMMANDS: Readonly<Record<string, { summary: string; load: () => Promise<Command | CommandGroup> }>> = {
  serve: { summary: 'run the gateway', load: async () => (await import('./cli/serve.ts')).serve },
  demo: {
    summary: 'mock upstream, gateway and one streamed answer, in one go',
    load: async () => (await import('./cli/demo.ts')).demo,
  },
  keys: {
    summary: 'create, list, change, rotate, import, revoke and delete client keys',
    load: async () => (await import('./cli/keys.ts')).keys,
  },
  usage: {
    summary: 'show usage by key, day and month',
    load: async () => (await import('./cli/usage.ts')).usage,
  },
  migrate: {
    summary: 'move keys and usage from one database to another',
    load: async () => (await import('./cli/migrate.ts')).migrate,
  },
  check: {
    summary: 'print the effective configuration, secrets redacted',
    load: async () => (await import('./cli/check.ts')).check,
  },
  targets: {
    summary: 'show the upstream targets of a running gateway',
    load: async () => (await import('./cli/targets.ts')).targets,
  },
  mock: {
    summary: 'run the scripted OpenAI-compatible upstream',
    load: async () => (await import('./cli/mock.ts')).mock,
  },
  bench: {
    summary: 'load an OpenAI-compatible endpoint with streams and measure them',
    load: async () => (await import('./cli/bench.ts')).bench,
  },
  version: {
    summary: 'print version, commit and Bun version',
    load: async () => (await import('./cli/version.ts')).version,
  },
};

process.exitCode = await exitCodeOf(main(process.argv.slice(2)));

async function main(argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    (name === undefined ? complain : print)(overview());
    return name === undefined ? 2 : 0;
  }
  const wanted = name === '--version' || name === '-v' ? 'version' : name;
  const entry = Object.hasOwn(COMMANDS, wanted) ? COMMANDS[wanted] : undefined;
  if (!entry) {
    complain(`bve: unknown command '${name}'\nTry 'bve --help'.\n`);
    return 2;
  }
  const command = await entry.load();
  return 'commands' in command ? runGroup(command, rest) : runCommand(command, rest);
}

/** Also handles failed output of help. */
async function exitCodeOf(running: Promise<number>): Promise<number> {
  try {
    return await running;
  } catch (error) {
    if (!(error instanceof OutputError)) throw error;
    if (!error.isClosed) complain(`bve: ${error.message}\n`);
    return error.isClosed ? 0 : 1;
  }
}

function overview(): string {
  const rows = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(9)}${summary}`);
  return `bve: a streaming gateway for OpenAI-compatible APIs\n\nUsage: bve COMMAND [flags]\n\n${rows.join('\n')}\n\n'bve COMMAND --help' explains a command; 'bve demo' shows it at work and needs no account.\n`;
}
