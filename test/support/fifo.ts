/** A named pipe whose writing end blocks, as the stdout of a program in a pipeline does. */
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface Fifo {
  /** The descriptor to write to, or to give to a child as its stdout. */
  readonly writer: number;
  /** What is in it now, and no longer there after it. */
  read(): string;
  closeReader(): void;
  [Symbol.dispose](): void;
}

export function openFifo(): Fifo {
  const folder = mkdtempSync(join(tmpdir(), 'bve-fifo-'));
  const path = join(folder, 'fifo');
  Bun.spawnSync(['mkfifo', path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  const buffer = new Uint8Array(1024 * 1024);
  let isReading = true;
  const closeReader = () => {
    if (isReading) closeSync(reader);
    isReading = false;
  };
  return {
    writer,
    read() {
      try {
        return Buffer.from(buffer.subarray(0, readSync(reader, buffer))).toString();
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
        throw error;
      }
    },
    closeReader,
    [Symbol.dispose]() {
      closeReader();
      closeSync(writer);
      rmSync(folder, { recursive: true });
    },
  };
}
