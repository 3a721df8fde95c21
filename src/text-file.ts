/** Reads UTF-8 text files of a bounded size, whatever a path refers to. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const PIECE_BYTES = 1024 * 1024;

/**
 * Reads a regular file and drops its byte order mark.
 * @throws Error with a message that contains neither the path nor the content
 */
export function readTextFile(path: string, bytesMax: number): string {
  // Opening a pipe without a writer would block.
  return readText(path, constants.O_NONBLOCK, bytesMax, (isFile) => {
    if (!isFile) throw new Error('is no regular file');
  });
}

/** Reads a regular file or a pipe, such as `<(command)` in a shell. @throws as readTextFile */
export function readTextInput(path: string, bytesMax: number): string {
  return readText(path, 0, bytesMax, () => {});
}

function readText(path: string, flags: number, bytesMax: number, check: (isFile: boolean) => void): string {
  const fd = opened(path, constants.O_RDONLY | flags);
  try {
    check(fstatSync(fd).isFile());
    const bytes = readBytes(fd, bytesMax);
    return decoded(bytes);
  } catch (error) {
    throw new Error(reasonOf(error));
  } finally {
    closeSync(fd);
  }
}

/** Does not rely on the size of the file: it may grow, and files in /proc and /dev have none. */
function readBytes(fd: number, bytesMax: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let total = 0; total <= bytesMax; ) {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, bytesMax + 1 - total));
    const read = readSync(fd, piece);
    if (read === 0) return Buffer.concat(pieces, total);
    pieces.push(piece.subarray(0, read));
    total += read;
  }
  throw new Error(`is larger than ${bytesMax} bytes`);
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('is not UTF-8 text');
  }
}

function opened(path: string, flags: number): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw new Error(reasonOf(error));
  }
}

/** A message without the system call and the path. */
function reasonOf(error: unknown): string {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  if (code === 'EISDIR') return 'is a folder';
  return message.replace(/, \w+( '.*')?$/s, '');
}
