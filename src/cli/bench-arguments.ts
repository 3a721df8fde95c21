/**
 * What command.ts does not know: a flag that may come several times, and one whose value may be left out. Both are read off
 * the command line once more, after command.ts has found it to be in order.
 */
import { parseArgs } from 'node:util';
import { type Arguments, type Command, UsageError } from './command.ts';

export interface BenchArguments {
  readonly url: string;
  /** Every `--assert`, in order. */
  readonly assertions: readonly string[];
  /** Undefined without `--json` and for a `--json` that nothing follows: then the report goes to stdout. */
  readonly jsonFile: string | undefined;
}

/** @param argv what stands behind `bve bench`. @throws UsageError for a second argument that belongs to no `--json` */
export function benchArguments(command: Command, args: Arguments, argv: readonly string[]): BenchArguments {
  const options = Object.fromEntries(
    Object.entries(command.options).map(([name, { type }]) => [name, { type, multiple: true }] as const),
  );
  const { values, tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const jsonAt = tokens.find((token) => token.kind === 'option' && token.name === 'json')?.index;
  const file = tokens.find((token) => token.kind === 'positional' && token.index === (jsonAt ?? Number.NaN) + 1);
  const jsonFile = file?.kind === 'positional' && args.positionals.length > 1 ? file.value : undefined;
  const rest = [...args.positionals];
  if (jsonFile !== undefined) rest.splice(rest.indexOf(jsonFile), 1);
  if (rest[1] !== undefined) throw new UsageError(`unexpected argument '${rest[1]}'`);
  const assertions = (values.assert ?? []) as (string | boolean)[];
  return { url: rest[0]!, assertions: assertions.map(String), jsonFile };
}
