/**
 * Finds usage records, newest first, by any of the fields of a `RecordsQuery`. Owns that a search never reads more than
 * about 2 ms of records at a time, however many there are and however few of them match.
 *
 * By key or request id it goes from segment to segment (see `segments.ts`), some at a time: a key is found in each with one
 * probe of the index, a request id with a look at its part of the index. Else it goes through all records, or through
 * those that are not complete, for which there is an index.
 */
import type { SQL } from 'bun';
import type { UsageRecord } from '../../usage/usage-record.ts';
import { PacedRead } from '../paced.ts';
import { type UsageRow, usageFromRow, type Value } from '../sql/rows.ts';
import type { RecordsQuery } from '../store.ts';

/** Sorts after every UUID. */
const END = '~';
/** How many segments are searched at once at most: after some with few records the next ones may hold many. */
const SEGMENTS_MAX = 64;
/** How many records are examined in one piece at most. */
const ROWS_MAX = 16_384;

export async function findRecords(sql: SQL, query: RecordsQuery): Promise<UsageRecord[]> {
  const search = new Search(sql, query);
  await search.run();
  return search.found;
}

class Search {
  readonly found: UsageRecord[] = [];
  readonly #sql: SQL;
  readonly #limit: number;
  readonly #before: string;
  /** The conditions on the fields, and what stands for their question marks. */
  readonly #where: string;
  readonly #values: Value[];
  /** Whether only records are wanted that are in the index of those that are not complete. */
  readonly #incomplete: boolean;
  readonly #byKey: boolean;
  readonly #byRequest: boolean;

  constructor(sql: SQL, query: RecordsQuery) {
    const conditions: [string, Value | undefined][] = [
      ['key_id = ?', query.keyId],
      ['request_id = ?', query.requestId],
      ['model = ?', query.model],
      ['endpoint = ?', query.endpoint],
      ['finish = ?', query.finish],
      ['status = ?', query.status],
      ['duration_ms >= ?', query.minDurationMs],
    ];
    const given = conditions.filter((condition): condition is [string, Value] => condition[1] !== undefined);
    this.#sql = sql;
    this.#limit = query.limit;
    this.#before = query.before ?? END;
    this.#byKey = query.keyId !== undefined;
    this.#byRequest = query.requestId !== undefined;
    this.#incomplete = query.finish !== undefined && query.finish !== 'complete';
    // Said in the words of the index: SQLite takes it only then.
    const incomplete = this.#incomplete ? [INCOMPLETE] : [];
    this.#where = [...given.map(([condition]) => condition), ...incomplete].map((text) => ` AND ${text}`).join('');
    this.#values = given.map(([, value]) => value);
  }

  async run(): Promise<void> {
    if (!this.#byKey && !this.#byRequest) return this.#throughAll(this.#before);
    const end = await this.#throughSegments();
    if (this.#wanted === 0) return;
    // What is left are the records of before there were segments, any number of them.
    if (this.#byKey) await this.#collect("segment = '' AND id < ?", [end]);
    else await this.#throughAll(end);
  }

  async #throughAll(before: string): Promise<void> {
    const pace = new PacedRead(1_024, ROWS_MAX);
    let end = before;
    do {
      end = await pace.piece(async () => {
        const start = await this.#rowsBefore(end, pace.size);
        await this.#collect('id >= ? AND id < ?', [start, end]);
        return start;
      });
    } while (end !== '' && this.#wanted > 0);
  }

  /** @returns the id from which on records were looked at */
  async #throughSegments(): Promise<string> {
    const pace = new PacedRead(1, SEGMENTS_MAX);
    let end = this.#before;
    for (;;) {
      const segments = await pace.piece(async () => {
        const names = await this.#segmentsBefore(end, pace.size);
        if (names.length > 0) {
          await this.#collect(`segment IN (${names.map(() => '?').join()}) AND id < ?`, [...names, end]);
        }
        return names;
      });
      end = segments.at(-1) ?? end;
      if (segments.length === 0 || this.#wanted === 0) return end;
    }
  }

  get #wanted(): number {
    return this.#limit - this.found.length;
  }

  async #collect(range: string, values: Value[]): Promise<void> {
    const rows = await this.#sql.unsafe<UsageRow[]>(
      `SELECT * FROM usage_records WHERE ${range}${this.#where} ORDER BY id DESC LIMIT ?`,
      [...values, ...this.#values, this.#wanted],
    );
    for (const row of rows) this.found.push(usageFromRow(row));
  }

  /** The id from which on there are so many records before an end; '' when there are fewer. */
  async #rowsBefore(end: string, count: number): Promise<string> {
    const [row] = await this.#sql.unsafe<{ id: string }[]>(
      `SELECT id FROM usage_records WHERE id < ?${this.#incomplete ? ` AND ${INCOMPLETE}` : ''}
       ORDER BY id DESC LIMIT 1 OFFSET ?`,
      [end, count],
    );
    return row?.id ?? '';
  }

  /** The segments that hold ids below an end, newest first, without segment ''. */
  async #segmentsBefore(end: string, count: number): Promise<string[]> {
    const rows = await this.#sql.unsafe<{ segment: string }[]>(
      `WITH RECURSIVE newest (segment, number) AS (
         SELECT MAX(segment), 1 FROM usage_records WHERE segment < ?
         UNION ALL
         SELECT (SELECT MAX(r.segment) FROM usage_records r WHERE r.segment < n.segment), n.number + 1
         FROM newest n WHERE n.segment IS NOT NULL AND n.number < ?
       ) SELECT segment FROM newest WHERE segment <> ''`,
      [end, count],
    );
    return rows.map(({ segment }) => segment);
  }
}

const INCOMPLETE = "finish <> 'complete'";
