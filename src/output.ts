/**
 * What a command prints: the whole text or an error, before it goes on. Bun's own streams report a failed write later,
 * as an event that nobody awaits, with a stack and an excerpt of the source.
 */
import { writeSync } from 'node:fs';

export class OutputError extends Error {
  /** Whoever read the output has seen enough of it, as in `bve keys list | head -1`. */
  readonly isClosed: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    super(`cannot write the output: ${reasonOf(cause)}`, { cause });
    this.isClosed = cause.code === 'EPIPE';
  }
}

/** On stdout. Waits for a slow reader. @throws OutputError */
export function print(text: string): void {
  try {
    writeWhole(STDOUT, text);
  } catch (error) {
    throw new OutputError(error as NodeJS.ErrnoException);
  }
}

export function printJson(value: unknown): void {
  print(`${JSON.stringify(value, null, 2)}\n`);
}

/** On stderr; where that cannot be written either there is nobody to tell. */
export function complain(text: string): void {
  try {
    writeWhole(STDERR, text);
  } catch {
    // Nobody to tell.
  }
}

const STDOUT = 1;
const STDERR = 2;
/** Between two tries at a pipe that does not block and is full. */
const FULL_RETRY_MS = 5;

function writeWhole(fd: number, text: string): void {
  let rest: Uint8Array = Buffer.from(text);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Bun.sleepSync(FULL_RETRY_MS);
    }
  }
}

function reasonOf({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOSPC':
      return 'no space left on the device';
    case 'EPIPE':
      return 'its reader is gone';
    case 'EBADF':
      return 'it is closed';
    default:
      return message;
  }
}
