/** The command line of the benches. */
import { parseArgs } from 'node:util';
import { UsageError } from '../../src/cli/command.ts';
import { type BenchScenario, SCENARIOS } from './scenarios.ts';

type FlagTypes = Readonly<Record<string, { readonly type: 'string' | 'boolean' }>>;

export interface Flags {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
}

/** @throws UsageError */
export function parseFlags(argv: readonly string[], options: FlagTypes, positionalsMax = 0): Flags {
  try {
    const { values, positionals } = parseArgs({ args: [...argv], options, strict: true, allowPositionals: true });
    if (positionals.length > positionalsMax)
      throw new UsageError(`unexpected argument '${positionals[positionalsMax]}'`);
    return { values: values as Flags['values'], positionals };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError((error as Error).message.split(/\. |\n/)[0]!);
  }
}

/** @throws UsageError when it is not a number within bounds */
export function numberFlag(flags: Flags, name: string, fallback: number, min: number, max: number): number {
  const raw = flags.values[name];
  if (raw === undefined) return fallback;
  const value = /^\d{1,6}(\.\d{1,3})?$/.test(String(raw)) ? Number(raw) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new UsageError(`--${name} takes a number from ${min} to ${max}, not '${raw}'`);
  return value;
}

export function textFlag(flags: Flags, name: string): string | undefined {
  const raw = flags.values[name];
  return raw === undefined ? undefined : String(raw);
}

/** The items of `all` that a comma-separated list names; all of them for undefined. @throws UsageError */
export function chosen<T extends { readonly name: string }>(
  list: string | undefined,
  all: readonly T[],
  kind: string,
): readonly T[] {
  if (list === undefined) return all;
  const names = list.split(',').map((name) => name.trim());
  const known = all.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new UsageError(`unknown ${kind} '${unknown}'; there are ${known.join(', ')}`);
  return all.filter(({ name }) => names.includes(name));
}

export function chosenScenarios(list: string | undefined): readonly BenchScenario[] {
  return chosen(list, SCENARIOS, 'scenario');
}

/** Runs a bench's main function. An error is one line; exit code 2 for wrong usage, otherwise 1. */
export async function runMain(name: string, main: () => Promise<number>): Promise<void> {
  // `exit` is where child.ts ends the children.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
  try {
    process.exitCode = await main();
  } catch (error) {
    process.stderr.write(`${name}: ${(error as Error).message}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  }
}
