/**
 * Model-based fuzz of the usage writer with its spill: random sequences of records, time, faults of the store and of the
 * disk, stops and kills, against an oracle that knows each record. FUZZ_SEED and FUZZ_CASES (steps) repeat or extend a
 * run; a failure prints what repeats it.
 */
import { expect, test } from 'bun:test';
import { dayOf } from '../../src/limits/windows.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import { UsageSpill } from '../../src/usage/usage-spill.ts';
import { type UsageClosing, UsageWriter } from '../../src/usage/usage-writer.ts';
import { usageRecord } from '../store/temp-database.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';
import { ModelFolder, ModelStore, STORE_MODES, settled, VirtualTime } from './usage-writer-world.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_601);
const STEPS = Number(process.env.FUZZ_CASES ?? 20_000);
const STEPS_OF_A_RUN = 200;

const QUEUE_ROWS_MAX = 120;
const SLOW_WRITE_MS = 100;
/** A flush, a retry, a slow write, and what goes into a file at the end of each. */
const UNSAFE_AT_MOST_MS = 60 + 20 + SLOW_WRITE_MS + 60;
/** A file that failed is tried again within this. */
const SPILL_RETRY_MS = 1_000;
const DAY = dayOf(usageRecord().admittedAt!);

interface Known {
  readonly record: UsageRecord;
  readonly atMs: number;
}

/** One process after the other on one store and one folder. */
class World {
  readonly store = new ModelStore();
  readonly folder = new ModelFolder();
  readonly #random: Random;
  readonly #bytesMax: number;
  /** Of all processes. */
  readonly #accepted = new Map<string, UsageRecord>();
  /** Lost as it is allowed: counted by the writer, or too young when the process was killed. */
  readonly #lost = new Set<string>();
  #time = new VirtualTime();
  #writer!: UsageWriter;
  #own = new Map<string, Known>();
  /** When a write of a record was last seen under way. */
  #atStoreUntilMs = new Map<string, number>();
  #diskIsWellSinceMs = 0;
  /** Files may be gone or unread: then the writer counts use that it cannot see any more. */
  #filesWereDisturbed = false;
  /** Of what is looked at when it happens, in no step. */
  #failure: Error | null = null;

  constructor(random: Random) {
    this.#random = random;
    this.#bytesMax = pick(random, [0, 5_000, 50_000, 1e9]);
    this.#start();
  }

  async step(): Promise<void> {
    const random = this.#random;
    const kind = random(100);
    if (kind < 35) this.#record(pick(random, [1, 1, 1, 3, 20, 60]));
    else if (kind < 65) await this.#time.advance(pick(random, [1, 5, 20, 60, 60, 100, 300, 2_500]));
    else if (kind < 75) this.store.mode = pick(random, STORE_MODES);
    else if (kind < 83) this.store.answer(pick(random, ['well', 'well', 'fails', 'commits and fails']));
    else if (kind < 87) this.#disturbDisk();
    else if (kind < 93) this.#flush();
    else if (kind < 94) this.#takeAFile();
    else if (kind < 96) await this.#stop();
    else if (kind < 98) await this.#kill();
    else this.#compareUse();
    await settled();
    this.#check();
  }

  /** All is well again: in the end everything must be in the store. */
  async end(): Promise<void> {
    this.#heal();
    await this.#stop();
    for (let i = 0; this.folder.files.size > 0 && i < 50; i++) await this.#time.advance(1_000);
    await this.#time.advance(10_000);
    if (this.folder.files.size > 0) throw new Error(`files are left: ${[...this.folder.files.keys()]}`);
    for (const id of this.#accepted.keys()) {
      if (!this.store.rows.has(id) && !this.#lost.has(id) && !this.store.refused.has(id)) {
        throw new Error(`a record is gone: ${id}`);
      }
    }
    for (const id of this.store.rows.keys())
      if (!this.#accepted.has(id)) throw new Error(`a record nobody made: ${id}`);
  }

  #start(): void {
    this.#time = new VirtualTime();
    this.#own = new Map();
    this.#atStoreUntilMs = new Map();
    this.#diskIsWellSinceMs = this.folder.writes === 'well' ? 0 : Number.POSITIVE_INFINITY;
    this.#filesWereDisturbed = this.folder.reads === 'fail' || this.folder.removes === 'fail';
    this.#writer = new UsageWriter(this.store, {
      spill: new UsageSpill(this.folder, this.#bytesMax),
      transactionRows: 10,
      flushRows: 40,
      queueRowsMax: QUEUE_ROWS_MAX,
      slowWriteMs: SLOW_WRITE_MS,
      scheduler: this.#time,
    });
    this.#writer.takeUpSpilled();
  }

  #record(count: number): void {
    for (let i = 0; i < count; i++) {
      const keyId = `key-${this.#random(3)}`;
      const record = usageRecord({ keyId, ...(this.#random(9) === 0 ? { admittedAt: null } : {}) });
      const before = this.#writer.dropped;
      this.#writer.record(record);
      this.#accepted.set(record.id, record);
      if (this.#random(300) === 0) this.store.refused.add(record.id);
      if (this.#writer.dropped > before) this.#lost.add(record.id);
      else this.#own.set(record.id, { record, atMs: this.#time.now() });
    }
  }

  #disturbDisk(): void {
    const random = this.#random;
    this.folder.writes = pick(random, ['well', 'well', 'fail', 'torn']);
    this.folder.reads = pick(random, ['well', 'well', 'well', 'fail']);
    this.folder.removes = pick(random, ['well', 'well', 'well', 'fail']);
    if (this.folder.reads === 'fail' || this.folder.removes === 'fail') this.#filesWereDisturbed = true;
    this.#diskIsWellSinceMs = this.folder.writes === 'well' ? this.#time.now() : Number.POSITIVE_INFINITY;
  }

  #heal(): void {
    this.store.mode = 'well';
    while (this.store.isWriting) this.store.answer('well');
    Object.assign(this.folder, { writes: 'well', reads: 'well', removes: 'well' });
  }

  /** When it says that all is in the store, all that was recorded before it was asked is. */
  #flush(): void {
    const before = [...this.#own.keys()];
    void this.#writer.flush(pick(this.#random, [1, 200, 5_000])).then((done) => {
      const missing = before.filter((id) => !this.store.rows.has(id) && !this.#isGivenUp(id) && !this.#lost.has(id));
      if (done && missing.length > 0 && !this.#filesWereDisturbed) {
        this.#failure ??= new Error(`flushed, but not in the store: ${missing}`);
      }
    });
  }

  /** As another process does that starts meanwhile; it ends before it has read it. */
  #takeAFile(): void {
    const name = this.folder.names()[0];
    if (name === undefined) return;
    this.folder.take(name);
    this.#filesWereDisturbed = true;
  }

  async #stop(): Promise<void> {
    let closing: UsageClosing | null = null;
    void this.#writer.close(pick(this.#random, [1, 100, 2_000])).then((result) => {
      closing = result;
    });
    while (closing === null) await this.#time.advance(50);
    const { lost } = closing as UsageClosing;
    this.store.forgetPending(this.#random(2) === 0);
    const missing = this.#missing();
    if (missing.length > lost) throw new Error(`${missing.length} records are lost, ${lost} were told`);
    for (const id of missing) this.#lost.add(id);
    this.#time.stop();
    this.#start();
  }

  async #kill(): Promise<void> {
    this.#time.stop();
    this.store.forgetPending(this.#random(2) === 0);
    const diskWellMs = this.#time.now() - this.#diskIsWellSinceMs;
    const diskTook = this.#bytesMax === 1e9 && diskWellMs > SPILL_RETRY_MS + UNSAFE_AT_MOST_MS;
    for (const id of this.#missing()) {
      // What is at the store is safe when that has answered, and as long as that takes it is not.
      const ageMs = this.#time.now() - Math.max(this.#own.get(id)!.atMs, this.#atStoreUntilMs.get(id) ?? 0);
      if (diskTook && ageMs > UNSAFE_AT_MOST_MS) {
        throw new Error(`killed: a record of ${ageMs} ms ago is gone`);
      }
      this.#lost.add(id);
    }
    this.#start();
  }

  /** Of this process: neither in the store nor in a file, and not refused by the store itself. */
  #missing(): string[] {
    const inFiles = this.folder.ids();
    return [...this.#own.keys()].filter(
      (id) => !this.store.rows.has(id) && !inFiles.has(id) && !this.store.refused.has(id),
    );
  }

  /** What counts as used but is not in the store, between two writes. */
  #compareUse(): void {
    if (this.store.isWriting || this.#filesWereDisturbed || this.store.mode === 'loses answers') return;
    for (const keyId of ['key-0', 'key-1', 'key-2']) {
      const told = this.#writer.unwrittenUse(keyId).of(keyId).get(DAY)?.requests ?? 0;
      const known = [...this.#own].filter(
        ([id, { record }]) =>
          record.keyId === keyId &&
          record.admittedAt !== null &&
          !this.store.acknowledged.has(id) &&
          !this.#isGivenUp(id),
      );
      // Of refused ones it is not known here whether the writer has found out.
      const refused = [...this.#own].filter(([id, { record }]) => record.keyId === keyId && this.store.refused.has(id));
      if (told < known.length || told > known.length + refused.length) {
        throw new Error(`${keyId}: ${told} requests on the way, not ${known.length}`);
      }
    }
  }

  #isGivenUp(id: string): boolean {
    return this.store.refused.has(id);
  }

  #check(): void {
    for (const id of this.store.pendingIds) this.#atStoreUntilMs.set(id, this.#time.now());
    const { waiting } = this.#writer;
    if (this.#failure !== null) throw this.#failure;
    if (waiting < 0) throw new Error(`${waiting} rows wait`);
  }
}

async function run(seed: number, steps: number): Promise<void> {
  const world = new World(randomFrom(seed));
  for (let i = 0; i < steps; i++) await world.step();
  await world.end();
}

test(`usage writer fuzz, FUZZ_SEED=${SEED} FUZZ_CASES=${STEPS}`, async () => {
  for (let done = 0, seed = SEED; done < STEPS; done += STEPS_OF_A_RUN, seed++) {
    await run(seed, STEPS_OF_A_RUN).catch((error: unknown) => {
      throw new Error(`FUZZ_SEED=${seed} FUZZ_CASES=${STEPS_OF_A_RUN} repeats it: ${String(error)}`, { cause: error });
    });
  }
  expect(STEPS).toBeGreaterThan(0);
}, 3_600_000);
