/**
 * Output of commands. Each call writes its whole text synchronously or throws. Bun's own streams report a failed write
 * later, as an unhandled error event with a stack trace.
 */
import { writeSync } from 'node:fs';

export class OutputError extends Error {
  /** The reader closed the pipe, as in `bve keys list | head -1`. */
  readonly isClosed: boolean;

  constructor(cause: NodeJS.ErrnoException) {
    super(`cannot write the output: ${reasonOf(cause)}`, { cause });
    this.isClosed = cause.code === 'EPIPE';
  }
}

/** Writes to stdout. Waits for a slow reader. @throws OutputError */
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

/** Writes to stderr. Errors are ignored: there is no other place to report them. */
export function complain(text: string): void {
  try {
    writeWhole(STDERR, text);
  } catch {
    // See above.
  }
}

const STDOUT = 1;
const STDERR = 2;
/** Retry interval for a full pipe in non-blocking mode. */
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
      return 'the pipe is closed';
    case 'EBADF':
      return 'stdout is closed';
    default:
      return message;
  }
}
