/**
 * Usage records that the store does not take, in files: they survive this process; it or a later one writes them to
 * the store later. A record is one line of JSON; the store knows it by its id, so writing one twice is harmless.
 *
 * Guarantees: `append` keeps all records or none; nothing is removed before its records are in the store (`done`); a line
 * that is torn or is no record is skipped and counted; never more than `bytesMax` bytes are written.
 */
import type { SpillFolder } from './spill-folder.ts';
import { parseUsageRecord, type UsageRecord } from './usage-record.ts';

export interface SpilledBatch {
  readonly records: readonly UsageRecord[];
  /** Written by this process, not found at its start. */
  readonly own: boolean;
  /** They are in the store. */
  done(): void;
}

interface SpillFile {
  readonly name: string;
  readonly own: boolean;
  bytes: number;
  rows: number;
  /** Up to here its records are in the store. */
  position: number;
}

/** Read at once: some hundred records. No record is nearly as long. */
const PIECE_BYTES = 256 * 1024;
const LF = 0x0a;

export class UsageSpill {
  readonly #folder: SpillFolder;
  readonly #bytesMax: number;
  /** In the order in which they are read. */
  readonly #files: SpillFile[] = [];
  /** The one that is written to, the last of them; null: the next append begins one. */
  #current: SpillFile | null = null;
  #skipped = 0;
  #error: unknown = null;

  constructor(folder: SpillFolder, bytesMax: number) {
    this.#folder = folder;
    this.#bytesMax = bytesMax;
  }

  /** Records in files and not in the store, as far as it is known. */
  get rows(): number {
    return this.#files.reduce((rows, file) => rows + file.rows, 0);
  }

  /** Nothing is left to be read. */
  get isEmpty(): boolean {
    return this.#files.length === 0;
  }

  /** Lines that were no records. */
  get skipped(): number {
    return this.#skipped;
  }

  /** Why the last `append` or `read` failed; null: it did not. */
  get error(): unknown {
    return this.#error;
  }

  /** Takes over the files of earlier processes. @returns how many records there are */
  takeUp(): number {
    let rows = 0;
    for (const found of this.#folder.names()) {
      this.#attempt(() => {
        const name = this.#folder.take(found);
        const file = { name, own: false, bytes: this.#folder.size(name), rows: this.#countLines(name), position: 0 };
        this.#files.unshift(file);
        rows += file.rows;
      });
    }
    return rows;
  }

  /** @returns whether they are in a file now; false: none of them is */
  append(records: readonly UsageRecord[]): boolean {
    const text = Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
    const bytes = this.#files.reduce((sum, file) => sum + file.bytes, 0);
    if (bytes + text.length > this.#bytesMax) {
      this.#error = new Error('the spill files are full');
      return false;
    }
    const written = this.#attempt(() => {
      const file = this.#current ?? this.#begin();
      this.#folder.append(file.name, text);
      file.bytes += text.length;
      file.rows += records.length;
    });
    // Nothing is appended after the remains of a failed write.
    if (!written) this.#current = null;
    return written;
  }

  /** The next records, at most so many; the same ones until they are `done`. null: there are none, or none can be read. */
  read(max: number): SpilledBatch | null {
    for (;;) {
      const file = this.#files[0];
      if (file === undefined) return null;
      // What is appended from now on goes into another file: this one is removed when it has been read.
      if (file === this.#current) this.#current = null;
      let piece = { records: [] as UsageRecord[], lines: 0, bytes: 0 };
      const isRead = this.#attempt(() => {
        piece = this.#parse(file, max);
      });
      if (!isRead) {
        // It stays where it is, for the next start; nothing of it is waited for.
        this.#files.shift();
        continue;
      }
      if (piece.lines === 0) {
        this.#remove(file);
        continue;
      }
      if (piece.records.length > 0) {
        return { records: piece.records, own: file.own, done: () => this.#advance(file, piece.lines, piece.bytes) };
      }
      this.#advance(file, piece.lines, piece.bytes);
    }
  }

  /** To the disk, not only to the kernel. */
  sync(): void {
    for (const { name, own } of this.#files) if (own) this.#attempt(() => this.#folder.sync(name));
  }

  #begin(): SpillFile {
    const file = { name: this.#folder.newName(), own: true, bytes: 0, rows: 0, position: 0 };
    this.#files.push(file);
    this.#current = file;
    return file;
  }

  #parse(file: SpillFile, max: number) {
    // Not what a write that failed may have left behind: those records were not taken.
    const bytes = this.#folder.read(file.name, file.position, Math.min(PIECE_BYTES, file.bytes - file.position));
    const records: UsageRecord[] = [];
    let lines = 0;
    let start = 0;
    for (let end = bytes.indexOf(LF); end !== -1 && records.length < max; end = bytes.indexOf(LF, start)) {
      const record = parseLine(bytes.subarray(start, end));
      if (record === null) this.#skipped++;
      else records.push(record);
      lines++;
      start = end + 1;
    }
    // A line that was never finished, or something that is no file of ours.
    if (lines === 0 && bytes.length > 0) this.#skipped++;
    return { records, lines, bytes: start };
  }

  #advance(file: SpillFile, lines: number, bytes: number): void {
    file.position += bytes;
    file.rows = Math.max(0, file.rows - lines);
    if (file.position >= file.bytes) this.#remove(file);
  }

  #remove(file: SpillFile): void {
    if (this.#current === file) this.#current = null;
    const index = this.#files.indexOf(file);
    if (index !== -1) this.#files.splice(index, 1);
    this.#attempt(() => this.#folder.remove(file.name));
  }

  #countLines(name: string): number {
    let lines = 0;
    for (let position = 0; ; ) {
      const bytes = this.#folder.read(name, position, PIECE_BYTES);
      if (bytes.length === 0) return lines;
      for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) lines++;
      position += bytes.length;
    }
  }

  #attempt(run: () => void): boolean {
    try {
      run();
      this.#error = null;
      return true;
    } catch (error) {
      this.#error = error;
      return false;
    }
  }
}

function parseLine(line: Buffer): UsageRecord | null {
  try {
    return parseUsageRecord(JSON.parse(line.toString()));
  } catch {
    return null;
  }
}
