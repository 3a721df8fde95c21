/** Reads the TOML configuration file. */
import { parse, TomlError } from 'smol-toml';
import { readTextFile } from '../text-file.ts';

/** A configuration file has a few dozen lines; a larger file is a mistake. */
const FILE_BYTES_MAX = 1024 * 1024;

/** @throws Error with a complete message, which never quotes the file: a secret with a missing quote could be in it */
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
    // Only the first line: the rest of the message quotes the file.
    const [message] = error.message.split('\n');
    throw new Error(`configuration file '${path}', line ${error.line}: ${message!.replace(/^[^:]*: /, '')}`);
  }
}
