/** What surrounds a usage writer in its fuzz: time, a store and a folder of files, each with all its faults, in memory. */
import { StoreError } from '../../src/store/store-error.ts';
import type { Scheduler } from '../../src/usage/scheduler.ts';
import type { SpillFolder } from '../../src/usage/spill-folder.ts';
import type { UsageRecord } from '../../src/usage/usage-record.ts';
import type { UsageSink } from '../../src/usage/usage-writer.ts';

/** Until what was resolved has been acted upon. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 12; i++) await null;
}

interface Timer {
  readonly atMs: number;
  readonly number: number;
  readonly run: () => void;
}

/** Time that passes when it is told to. */
export class VirtualTime implements Scheduler {
  #nowMs = 0;
  #number = 0;
  #timers: Timer[] = [];

  now(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, ms), number: this.#number++, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  async advance(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers
        .filter(({ atMs }) => atMs <= endMs)
        .reduce<Timer | null>(
          (a, b) => (a && (a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number)) ? a : b),
          null,
        );
      if (next === null) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#nowMs = next.atMs;
      next.run();
      await settled();
    }
    this.#nowMs = endMs;
  }

  /** As when the process is killed. */
  stop(): void {
    this.#timers = [];
  }
}

export const STORE_MODES = ['well', 'well', 'well', 'busy', 'away', 'slow', 'loses answers'] as const;
type StoreMode = (typeof STORE_MODES)[number];

export class ModelStore implements UsageSink {
  mode: StoreMode = 'well';
  readonly rows = new Map<string, UsageRecord>();
  readonly refused = new Set<string>();
  /** Whose write was answered with success. */
  readonly acknowledged = new Set<string>();
  #pending: { readonly records: readonly UsageRecord[]; readonly answer: PromiseWithResolvers<void> }[] = [];

  get isWriting(): boolean {
    return this.#pending.length > 0;
  }

  get pendingIds(): readonly string[] {
    return this.#pending.flatMap(({ records }) => records.map(({ id }) => id));
  }

  insertUsage(records: readonly UsageRecord[]): Promise<void> {
    if (records.length === 0) throw new Error('an empty batch');
    switch (this.mode) {
      case 'busy':
        return Promise.reject(new StoreError('busy', 'locked'));
      case 'away':
        return Promise.reject(new StoreError('unavailable', 'away'));
      case 'slow': {
        const answer = Promise.withResolvers<void>();
        this.#pending.push({ records, answer });
        return answer.promise;
      }
      case 'loses answers':
        if (this.#commit(records)) return Promise.reject(new Error('connection lost after COMMIT'));
        return Promise.reject(new StoreError('rejected', 'refused'));
      default:
        return this.#answer(records);
    }
  }

  /** Answers the oldest write that waits. */
  answer(how: 'well' | 'fails' | 'commits and fails'): void {
    const write = this.#pending.shift();
    if (write === undefined) return;
    if (how === 'well') this.#answer(write.records).then(write.answer.resolve, write.answer.reject);
    else {
      if (how === 'commits and fails') this.#commit(write.records);
      write.answer.reject(new StoreError('unavailable', 'away'));
    }
  }

  /** The process is killed: what it was writing is there or not. */
  forgetPending(commit: boolean): void {
    for (const { records } of this.#pending.splice(0)) if (commit) this.#commit(records);
  }

  #answer(records: readonly UsageRecord[]): Promise<void> {
    if (!this.#commit(records)) return Promise.reject(new StoreError('rejected', 'refused'));
    for (const { id } of records) this.acknowledged.add(id);
    return Promise.resolve();
  }

  /** All of them or none. */
  #commit(records: readonly UsageRecord[]): boolean {
    if (records.some(({ id }) => this.refused.has(id))) return false;
    for (const record of records) {
      const known = this.rows.get(record.id);
      if (known !== undefined && !Bun.deepEquals(known, record)) throw new Error('a record changed on its way');
      this.rows.set(record.id, record);
    }
    return true;
  }
}

export class ModelFolder implements SpillFolder {
  readonly files = new Map<string, Buffer>();
  writes: 'well' | 'fail' | 'torn' = 'well';
  reads: 'well' | 'fail' = 'well';
  removes: 'well' | 'fail' = 'well';
  #named = 0;

  names(): string[] {
    return [...this.files.keys()].sort();
  }

  newName(): string {
    return `file-${String(this.#named++).padStart(6, '0')}`;
  }

  size(name: string): number {
    return this.#get(name).length;
  }

  append(name: string, bytes: Uint8Array): void {
    if (this.writes === 'fail') throw new Error('no space left on device');
    const before = this.files.get(name) ?? Buffer.alloc(0);
    if (this.writes === 'torn') {
      // Not even what went in could be taken back.
      this.files.set(name, Buffer.concat([before, bytes.subarray(0, bytes.length >> 1)]));
      throw new Error('no space left on device');
    }
    this.files.set(name, Buffer.concat([before, bytes]));
  }

  read(name: string, position: number, length: number): Buffer {
    if (this.reads === 'fail') throw new Error('input/output error');
    return this.#get(name).subarray(position, position + length);
  }

  take(name: string): string {
    const taken = this.newName();
    this.files.set(taken, this.#get(name));
    this.files.delete(name);
    return taken;
  }

  remove(name: string): void {
    if (this.removes === 'fail') throw new Error('input/output error');
    this.files.delete(name);
  }

  sync(): void {}

  /** Of all whole lines in all files. */
  ids(): Set<string> {
    const ids = new Set<string>();
    for (const bytes of this.files.values()) {
      for (const line of bytes.toString().split('\n').slice(0, -1)) {
        const id = /^\{"id":"([^"]+)"/.exec(line)?.[1];
        if (id !== undefined && line.endsWith('}')) ids.add(id);
      }
    }
    return ids;
  }

  #get(name: string): Buffer {
    const bytes = this.files.get(name);
    if (bytes === undefined) throw new Error('no such file');
    return bytes;
  }
}
