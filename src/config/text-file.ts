/** Files that a configuration names: regular ones only, of a bounded size, in UTF-8. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** Without its byte order mark. @throws Error whose message says what is wrong, without path and content */
export function readTextFile(path: string, bytesMax: number): string {
  const bytes = readBytes(path, bytesMax);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('is not UTF-8 text');
  }
}

function readBytes(path: string, bytesMax: number): Uint8Array {
  // A pipe that nobody writes to would keep a blocking open waiting for ever.
  const fd = opened(path);
  try {
    if (!fstatSync(fd).isFile()) throw new Error('is no regular file');
    // One byte more tells that there is more: the file may grow, and /proc says 0 for the size of its files.
    const bytes = new Uint8Array(bytesMax + 1);
    let length = 0;
    while (length <= bytesMax) {
      const read = readSync(fd, bytes, length, bytes.length - length, null);
      if (read === 0) return bytes.subarray(0, length);
      length += read;
    }
    throw new Error(`is larger than ${bytesMax} bytes`);
  } finally {
    closeSync(fd);
  }
}

function opened(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new Error(reasonOf(error));
  }
}

/** Without the system call and the path once more. */
function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  return message.replace(/, \w+( '.*')?$/s, '');
}
