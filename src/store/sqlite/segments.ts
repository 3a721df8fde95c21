/**
 * Which segment of `usage_records` a record belongs to. Segments cut the order of ids into pieces of some hundred records:
 * a segment is named by a text that is not greater than the ids in it, and a record belongs to the last segment that is
 * not greater than its id. So segments read in descending order give their records newest first, and an index
 * (segment, key_id, …) has few pages that are written at a time, however many keys there are.
 *
 * All of it happens inside the write transaction, which one process has at a time: that is what keeps it exact when
 * several processes write, or records come late.
 */
import type { Database, Statement } from 'bun:sqlite';

/** 64 to 512 cost about the same when records are written: 40 pages for 120 records of any number of keys, not 290. */
const SEGMENT_ROWS = 128;
/** Of an id: the millisecond, in hex, see `firstIdOf`. */
const NAME_LENGTH = 13;

export class Segments {
  readonly #newest: Statement<{ segment: string | null }, []>;
  readonly #newestId: Statement<{ id: string | null }, []>;
  readonly #containing: Statement<{ segment: string | null }, [string]>;
  /** The newest segment, as of the last transaction, and how many records this process has put into it. */
  #current = '';
  #rows = 0;
  /** A name that was too low: it is for all ids of its millisecond. */
  #refused = '';

  constructor(database: Database) {
    this.#newest = database.prepare('SELECT MAX(segment) AS segment FROM usage_records');
    this.#newestId = database.prepare('SELECT MAX(id) AS id FROM usage_records');
    this.#containing = database.prepare('SELECT MAX(segment) AS segment FROM usage_records WHERE segment <= ?');
  }

  /** Called first in a transaction: others may have begun a segment, or a transaction of ours may have been undone. */
  begin(): void {
    const current = this.#newest.get()?.segment ?? '';
    if (current !== this.#current) this.#rows = 0;
    this.#current = current;
  }

  /** The segment of a record that is about to be inserted. */
  of(id: string): string {
    if (id < this.#current) return this.#containing.get(id)?.segment ?? '';
    if (this.#rows >= SEGMENT_ROWS) this.#startAt(id);
    this.#rows++;
    return this.#current;
  }

  /** Only behind all records there are: those that follow this one must not be in an older segment. */
  #startAt(id: string): void {
    const name = id.slice(0, NAME_LENGTH);
    if (name === this.#refused) return;
    if (name <= (this.#newestId.get()?.id ?? '')) {
      this.#refused = name;
      return;
    }
    this.#current = name;
    this.#rows = 0;
  }
}
