/** The configuration file: TOML to values by key, or one complaint. */
import { parse, TomlError } from 'smol-toml';
import { readTextFile } from '../text-file.ts';

/** A configuration file has some dozen lines; anything larger is the wrong file. */
const FILE_BYTES_MAX = 1024 * 1024;

/** @throws Error with the whole complaint; it never repeats what is in the file, which may be a secret without its quotes */
export function readTomlFile(path: string): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readTextFile(path, FILE_BYTES_MAX);
  } catch (error) {
    throw new Error(`configuration file '${path}': ${(error as Error).message}`);
  }
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // Behind the first line it shows the lines around the mistake.
    const [message] = error.message.split('\n');
    throw new Error(`configuration file '${path}', line ${error.line}: ${message!.replace(/^[^:]*: /, '')}`);
  }
}
