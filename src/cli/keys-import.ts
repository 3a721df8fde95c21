/** `bve keys import`: imports the hashed keys of another deployment; all keys of a file or none. */
import { keyToJson } from '../keys/key.ts';
import { print, printJson } from '../output.ts';
import { readTextInput } from '../text-file.ts';
import { type Command, CommandFailure } from './command.ts';
import { CONFIG, DATABASE, JSON_OUTPUT, withStore } from './keys-database.ts';
import { type ImportProblem, OPTIONAL_FIELDS, readImportFile } from './keys-import-file.ts';

/** Enough for several hundred thousand keys. */
const FILE_BYTES_MAX = 128 * 1024 * 1024;
const PROBLEMS_SHOWN_MAX = 20;

export const importCommand: Command = {
  name: 'import',
  summary: 'import hashed keys of another deployment',
  positionals: ['FILE'],
  options: { json: { ...JSON_OUTPUT, help: 'print the imported keys as JSON' }, config: CONFIG },
  details: `FILE is CSV with a header, or JSON lines (one object a line). Fields: name and key_hash, which is sha256(key + pepper)
in hex; and what there is of ${OPTIONAL_FIELDS.join(', ')}.
What is absent (in CSV: empty) has its default, 'none' (in JSON: null) is no limit. Keys must have the form sk-bve- and
64 hex digits, and API_KEY_PEPPER must be the one they were hashed with: neither can be seen from a hash.

All keys are imported or, when one line is wrong or a key is there already, none.
${DATABASE}`,
  async run(args) {
    const text = readText(args.positionals[0]!);
    const { keys, lines, problems } = readImportFile(text, formatOf(text), Date.now());
    refuse(problems);
    if (keys.length === 0) throw new CommandFailure('there is no key in the file');
    const conflicts = await withStore(args, (store) => store.importKeys(keys));
    refuse(
      conflicts.map(({ index, field }) => ({ line: lines[index]!, text: `a key with this ${field} is there already` })),
    );
    if (args.flags.json) printJson(keys.map(({ key }) => keyToJson(key)));
    else print(`${keys.length} ${keys.length === 1 ? 'key' : 'keys'} imported\n`);
    return 0;
  },
};

/** Decided by the first character: the header of a CSV file does not begin with a brace. */
function formatOf(text: string): 'csv' | 'jsonl' {
  return /^\uFEFF?\s*\{/.test(text) ? 'jsonl' : 'csv';
}

function readText(path: string): string {
  try {
    return readTextInput(path, FILE_BYTES_MAX);
  } catch (error) {
    throw new CommandFailure(`'${path}': ${(error as Error).message}`);
  }
}

/** @throws CommandFailure naming the lines */
function refuse(problems: readonly ImportProblem[]): void {
  if (problems.length === 0) return;
  const shown = problems
    .toSorted((a, b) => a.line - b.line)
    .slice(0, PROBLEMS_SHOWN_MAX)
    .map(({ line, text }) => `  line ${line}: ${text}`);
  const more = problems.length - shown.length;
  if (more > 0) shown.push(`  and ${more} more`);
  throw new CommandFailure(`nothing was imported:\n${shown.join('\n')}`);
}
