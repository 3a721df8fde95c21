/**
 * The commands of `bve`: their definition, argument parsing, help and errors.
 *
 * Exit codes (contract, section 10): 0 done, 1 failed, 2 the call itself was wrong.
 */
import { parseArgs } from 'node:util';
import { ConfigError } from '../config/config-error.ts';
import { complain, OutputError, print } from '../output.ts';

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  /** The placeholder for the value in the help text, e.g. `FILE`. */
  readonly value?: string;
  /** The flag may be repeated; its values are in `lists`. */
  readonly multiple?: true;
  /** The value of the flag when none of these words follows it. */
  readonly bare?: { readonly means: string; readonly words: readonly string[] };
  readonly help: string;
}

export interface Arguments {
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  /** The values of repeatable flags, in order. */
  readonly lists: Readonly<Record<string, readonly string[] | undefined>>;
  readonly positionals: readonly string[];
}

export interface Command {
  readonly name: string;
  /** One line, shown in the list of all commands. */
  readonly summary: string;
  /** Names of positional arguments; a name in brackets may be left out, e.g. `[URL]`. */
  readonly positionals?: readonly string[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Further paragraphs of `--help`. */
  readonly details?: string;
  /** Resolves to the process's exit code. */
  run(args: Arguments): Promise<number>;
}

/** Commands with a common first word, such as `bve keys create`; `name` of each is the second word. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly Command[];
}

/** The call was wrong: unknown flag, missing argument, value out of range. Exit code 2, message on stderr. */
export class UsageError extends Error {}

/** The command could not do its work, for a reason the user can act on. Exit code 1, message on stderr, no stack. */
export class CommandFailure extends Error {}

/** Parses and runs one command; `--help` prints its help. Returns the exit code. */
export async function runCommand(command: Command, argv: readonly string[]): Promise<number> {
  try {
    const args = parse(command, argv);
    if (args.flags.help) {
      print(helpOf(command));
      return 0;
    }
    return await command.run(args);
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`bve ${command.name}: ${error.message}\nTry 'bve ${command.name} --help'.\n`);
      return 2;
    }
    if (error instanceof ConfigError) {
      complain(error.problems.map((problem) => `bve ${command.name}: ${problem}\n`).join(''));
      return 2;
    }
    if (error instanceof OutputError && error.isClosed) return 0;
    if (error instanceof CommandFailure || error instanceof OutputError) {
      complain(`bve ${command.name}: ${error.message}\n`);
      return 1;
    }
    throw error;
  }
}

/** The first argument names one of the group's commands; without one the list of them goes to stderr. Exit code as above. */
export async function runGroup(group: CommandGroup, argv: readonly string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    (name === undefined ? complain : print)(helpOfGroup(group));
    return name === undefined ? 2 : 0;
  }
  const command = group.commands.find((candidate) => candidate.name === name);
  if (!command) {
    complain(`bve ${group.name}: unknown command '${name}'\nTry 'bve ${group.name} --help'.\n`);
    return 2;
  }
  return runCommand({ ...command, name: `${group.name} ${name}` }, rest);
}

/** A whole number within bounds from a flag, or the fallback when the flag is absent. @throws UsageError */
export function integerFlag(args: Arguments, name: string, fallback: number, min: number, max: number): number {
  const raw = args.flags[name];
  if (raw === undefined) return fallback;
  const value = /^-?\d{1,15}$/.test(String(raw)) ? Number(raw) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw new UsageError(`--${name} takes a whole number from ${min} to ${max}, not '${raw}'`);
  }
  return value;
}

/** The text value of a flag, or undefined when it is absent. @throws UsageError when it is empty */
export function textFlag(args: Arguments, name: string): string | undefined {
  const raw = args.flags[name];
  if (raw === undefined) return undefined;
  if (raw === '') throw new UsageError(`--${name} must not be empty`);
  return String(raw);
}

function helpOf(command: Command): string {
  const options = { ...command.options, help: HELP };
  const left = Object.entries(options).map(
    ([name, o]) => `--${name}${o.type === 'string' ? ` ${o.value ?? 'VALUE'}` : ''}`,
  );
  const width = Math.max(...left.map((text) => text.length)) + 2;
  const rows = Object.values(options).map((o, i) => `  ${left[i]!.padEnd(width)}${o.help}`);
  const positionals = (command.positionals ?? []).map((name) => ` ${name}`).join('');
  const details = command.details ? `\n${command.details.trim()}\n` : '';
  return `bve ${command.name}: ${command.summary}\n\nUsage: bve ${command.name}${positionals} [flags]\n\n${rows.join('\n')}\n${details}`;
}

function helpOfGroup({ name, summary, commands }: CommandGroup): string {
  const width = Math.max(...commands.map((command) => command.name.length)) + 2;
  const rows = commands.map((command) => `  ${command.name.padEnd(width)}${command.summary}`);
  return `bve ${name}: ${summary}\n\nUsage: bve ${name} COMMAND [flags]\n\n${rows.join('\n')}\n\n'bve ${name} COMMAND --help' explains a command.\n`;
}

const HELP: OptionSpec = { type: 'boolean', help: 'show this help' };

function parse(command: Command, argv: readonly string[]): Arguments {
  const names = command.positionals ?? [];
  const parsed = parseStrictly(command, argv);
  const entries: [string, unknown][] = Object.entries(parsed.values);
  const args: Arguments = {
    flags: Object.fromEntries(entries.filter(([, value]) => !Array.isArray(value))) as Arguments['flags'],
    lists: Object.fromEntries(entries.filter(([, value]) => Array.isArray(value))) as Arguments['lists'],
    positionals: parsed.positionals,
  };
  if (args.flags.help) return args;
  const required = names.filter((name) => !name.startsWith('['));
  const missing = required[args.positionals.length];
  if (missing) throw new UsageError(`${missing} is missing`);
  const extra = args.positionals[names.length];
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}'`);
  return args;
}

function parseStrictly(command: Command, argv: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries(command.options).map(
      ([name, o]) => [name, { type: o.type, multiple: o.multiple ?? false }] as const,
    ),
  );
  try {
    const help = { type: 'boolean', short: 'h' } as const;
    return parseArgs({
      args: withBareValues(command, argv),
      options: { ...options, help },
      strict: true,
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError(firstSentence((error as Error).message));
  }
}

/** Adds the implied value to flags whose value is optional: `--flag` becomes `--flag=MEANS`. */
function withBareValues(command: Command, argv: readonly string[]): string[] {
  return argv.map((arg, i) => {
    const bare = arg.startsWith('--') ? command.options[arg.slice(2)]?.bare : undefined;
    return bare && !bare.words.includes(argv[i + 1] ?? '') ? `${arg}=${bare.means}` : arg;
  });
}

/** Messages of node:util are long; their first sentence is enough. */
function firstSentence(message: string): string {
  return message.split(/\. |\n/)[0]!.replace(/\.$/, '');
}
