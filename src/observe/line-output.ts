/**
 * Lines of text to a file descriptor, without ever waiting for whoever reads it.
 *
 * A pipe that nobody reads takes 64 kB and then blocks the writer: here that would be the event loop with all streams on
 * it. So the kernel is asked first (poll, 0.5 µs), and what it does not take is kept up to a bound; beyond that lines are
 * dropped and counted. A disk that is full is tried again once a second; a reader that is gone is not. The lines of one
 * turn of the event loop are one write: 3 instead of 4 µs a line.
 */
import { ptr } from 'bun:ffi';
import { writeSync } from 'node:fs';
import { libc } from '../libc.ts';

interface LineOutputOptions {
  readonly fd: number;
  /** Of lines that wait. Default 1 MiB. */
  readonly queueBytesMax?: number;
  /** Told when lines begin to be dropped, once until they pass again. */
  readonly onTrouble: (reason: string) => void;
  /** The line that says how many were dropped, once they pass again. */
  readonly droppedLine: (count: number) => string;
}

/** A pipe that has room at all takes as much whole (PIPE_BUF on Linux); a socket with room has more. */
const PIECE_BYTES_MAX = 4096;
/** What one turn collects at the most before it is written. */
const COLLECTED_CHARACTERS_MAX = 16_384;
const BLOCKED_RETRY_MS = 20;
const FAILED_RETRY_MS = 1_000;
const POLLOUT = 4;

export class LineOutput {
  readonly #fd: number;
  readonly #queueBytesMax: number;
  readonly #onTrouble: LineOutputOptions['onTrouble'];
  readonly #droppedLine: LineOutputOptions['droppedLine'];
  readonly #poll = libc()?.poll;
  /** `struct pollfd`: descriptor, events asked for, events found. */
  readonly #pollfd: Int32Array;
  /** Of this turn of the event loop. */
  #collected = '';
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #dropped = 0;
  #inTrouble = false;
  /** The reader is gone for good. */
  #closed = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: LineOutputOptions) {
    this.#fd = options.fd;
    this.#queueBytesMax = options.queueBytesMax ?? 1024 * 1024;
    this.#onTrouble = options.onTrouble;
    this.#droppedLine = options.droppedLine;
    this.#pollfd = new Int32Array([options.fd, POLLOUT]);
  }

  /** Never throws and never waits. */
  write(line: string): void {
    if (this.#closed) return;
    if (this.#collected === '') setImmediate(this.#endTurn);
    this.#collected += line;
    if (this.#collected.length > COLLECTED_CHARACTERS_MAX) this.flush();
  }

  /** Writes what there is, as far as it is taken at once. */
  flush(): void {
    if (this.#collected !== '') this.#keep(Buffer.from(this.#collected));
    this.#collected = '';
    this.#flush();
  }

  readonly #endTurn = () => this.flush();

  #keep(bytes: Buffer): void {
    if (this.#queuedBytes + bytes.length > this.#queueBytesMax) {
      this.#dropped += countLines(bytes);
      this.#tell('nobody reads it: lines are dropped');
      return;
    }
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
  }

  #flush(): void {
    while (this.#queue.length > 0 && !this.#closed) {
      if (!this.#hasRoom()) {
        this.#retryIn(BLOCKED_RETRY_MS);
        return;
      }
      const first = this.#queue[0]!;
      const written = this.#writePiece(first.subarray(0, PIECE_BYTES_MAX));
      if (written === 0) return;
      this.#queuedBytes -= written;
      if (written === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(written);
    }
    if (this.#dropped > 0 && !this.#closed) this.#tellDropped();
  }

  #tellDropped(): void {
    const line = this.#droppedLine(this.#dropped);
    this.#dropped = 0;
    this.#inTrouble = false;
    this.#keep(Buffer.from(line));
    this.#flush();
  }

  /** @returns the bytes that were taken; 0 after an error, which is dealt with */
  #writePiece(piece: Buffer): number {
    try {
      return writeSync(this.#fd, piece, 0, piece.length);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') this.#retryIn(BLOCKED_RETRY_MS);
      else if (code === 'EPIPE' || code === 'EBADF') this.#close('its reader is gone');
      else {
        this.#tell(message);
        this.#retryIn(FAILED_RETRY_MS);
      }
      return 0;
    }
  }

  #hasRoom(): boolean {
    if (this.#poll === undefined) return true;
    // Errors and hang-ups count as well: the write will say which.
    return this.#poll(ptr(this.#pollfd), 1, 0) !== 0;
  }

  #retryIn(ms: number): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, ms);
    this.#timer.unref();
  }

  #close(reason: string): void {
    this.#closed = true;
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#tell(reason);
  }

  #tell(reason: string): void {
    if (this.#inTrouble) return;
    this.#inTrouble = true;
    this.#onTrouble(reason);
  }
}

function countLines(bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) if (byte === 0x0a) count++;
  return count;
}
