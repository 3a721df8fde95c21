/**
 * File descriptors that are set aside: whatever clients take, some are left for connections to upstream. They belong to the
 * process, as the limit does, so there is one set of them.
 */
import { openSync, readdirSync, readFileSync } from 'node:fs';
import { libc } from './libc.ts';

const F_DUPFD_CLOEXEC = 1030;

export class SpareDescriptors {
  readonly #held: number[] = [];
  #original: number | undefined;

  get count(): number {
    return this.#held.length;
  }

  /** Sets aside so many, or as many as there are. */
  resize(count: number): void {
    const calls = libc();
    if (calls === null) return;
    while (this.#held.length > count) calls.close(this.#held.pop()!);
    while (this.#held.length < count) {
      const fd = this.#duplicate();
      if (fd === -1) return;
      this.#held.push(fd);
    }
  }

  /** Frees one, for whoever asks for a descriptor next. @returns whether there was one */
  release(): boolean {
    const fd = this.#held.pop();
    return fd !== undefined && libc()?.close(fd) === 0;
  }

  /** Whether so many are free besides. */
  hasFree(count: number): boolean {
    const before = this.count;
    this.resize(before + count);
    const found = this.count - before;
    this.resize(before);
    return found === count;
  }

  #duplicate(): number {
    this.#original ??= openSync('/dev/null', 'r');
    return libc()?.fcntl(this.#original, F_DUPFD_CLOEXEC, 0) ?? -1;
  }
}

export const spareDescriptors = new SpareDescriptors();

/** How many descriptors this process may have open (RLIMIT_NOFILE); Infinity where that is not known. */
export function descriptorLimit(): number {
  try {
    return Number(
      /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? Number.POSITIVE_INFINITY,
    );
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Of database, log, files and whatever else is not a connection, and of clients that are told that there is no room. */
const OWN_DESCRIPTORS = 48;

/** For how many of something there are descriptors, beside those that are open and those for other things. */
export function descriptorsFor(each: number): number {
  return Math.max(0, Math.floor((descriptorLimit() - openDescriptors() - OWN_DESCRIPTORS) / each));
}

/** 0 where that is not known. */
function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
