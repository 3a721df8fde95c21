/**
 * The files of a spill, in a folder that several processes may use at the same time: each writes to files of its own, and
 * may take over those that others left, or are still writing to.
 *
 * That is safe because a file is renamed before it is read to its end, and who appends looks afterwards whether the file
 * is still there under its name: if not, the same lines are written once more, into a new file. A record may then be in
 * two files; it is in the store once.
 */
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

export interface SpillFolder {
  /** The files that are there. */
  names(): string[];
  newName(): string;
  size(name: string): number;
  /** All of it or nothing; makes the file if need be. @throws when it cannot */
  append(name: string, bytes: Uint8Array): void;
  /** Less than asked for at the end of the file, where there is nothing more. */
  read(name: string, position: number, length: number): Buffer;
  /** Gives a file another name, so that nobody else reads it or writes to it. @returns the name */
  take(name: string): string;
  /** No error when it is gone already. */
  remove(name: string): void;
  sync(name: string): void;
}

const PREFIX = 'bve-usage-';
const SUFFIX = '.jsonl';

export class DiskSpillFolder implements SpillFolder {
  readonly #folder: string;
  readonly #prefix: string;

  /** @param databaseId of the database whose records these are: the folder may hold those of others */
  constructor(folder: string, databaseId: string) {
    this.#folder = folder;
    this.#prefix = `${PREFIX}${databaseId}-`;
  }

  names(): string[] {
    return this.#all().filter((name) => name.startsWith(this.#prefix));
  }

  /** How many files there are of other databases. */
  others(): number {
    return this.#all().length - this.names().length;
  }

  /** Why it cannot be used; null: it can. */
  problem(): string | null {
    try {
      if (!statSync(this.#folder).isDirectory()) return `'${this.#folder}' is not a folder`;
      accessSync(this.#folder, constants.R_OK | constants.W_OK | constants.X_OK);
      return null;
    } catch (error) {
      const { code } = error as { code?: unknown };
      return `'${this.#folder}' ${code === 'ENOENT' ? 'does not exist' : `cannot be written to (${code})`}`;
    }
  }

  newName(): string {
    return `${this.#prefix}${Bun.randomUUIDv7()}${SUFFIX}`;
  }

  size(name: string): number {
    return statSync(this.#path(name)).size;
  }

  append(name: string, bytes: Uint8Array): void {
    const fd = openSync(this.#path(name), 'a', 0o600);
    try {
      const before = fstatSync(fd);
      try {
        writeAll(fd, bytes);
      } catch (error) {
        // Else the part that went in would be read as a torn line.
        ftruncateSync(fd, before.size);
        throw error;
      }
      const now = statSync(this.#path(name), { throwIfNoEntry: false });
      if (now === undefined || now.ino !== before.ino || now.dev !== before.dev) {
        throw new Error('the spill file was taken over by another process');
      }
    } finally {
      closeSync(fd);
    }
  }

  read(name: string, position: number, length: number): Buffer {
    const fd = openSync(this.#path(name), 'r');
    try {
      const bytes = Buffer.allocUnsafe(length);
      return bytes.subarray(0, readSync(fd, bytes, 0, length, position));
    } finally {
      closeSync(fd);
    }
  }

  take(name: string): string {
    const taken = this.newName();
    renameSync(this.#path(name), this.#path(taken));
    return taken;
  }

  remove(name: string): void {
    rmSync(this.#path(name), { force: true });
  }

  sync(name: string): void {
    const fd = openSync(this.#path(name), 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  #all(): string[] {
    return readdirSync(this.#folder)
      .filter((name) => name.startsWith(PREFIX) && name.endsWith(SUFFIX))
      .sort();
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
}
