/**
 * Objects that clients have stored: files, assistants, threads and so on, each in the collection of its path
 * (`/threads/thread_1/messages`). Bounded: beyond the limits the oldest objects are removed.
 */
export interface StoredObject {
  readonly id: string;
  readonly [field: string]: unknown;
}

interface StoreLimits {
  readonly objects: number;
  /** Of files. */
  readonly contentBytes: number;
}

interface Entry {
  readonly collection: string;
  readonly object: StoredObject;
  readonly content: Uint8Array | undefined;
}

export class ObjectStore {
  /** By collection and id, oldest first. */
  readonly #entries = new Map<string, Entry>();
  readonly #limits: StoreLimits;
  #contentBytes = 0;

  constructor(limits: StoreLimits = { objects: 10_000, contentBytes: 536_870_912 }) {
    this.#limits = limits;
  }

  /** A free id in the collection, derived from the content, so that equal calls get equal answers. */
  freeId(collection: string, prefix: string, content: Uint8Array | string): string {
    const id = `${prefix}${new Bun.CryptoHasher('sha256').update(content).digest('hex').slice(0, 24)}`;
    if (!this.get(collection, id)) return id;
    let number = 2;
    while (this.get(collection, `${id}-${number}`)) number++;
    return `${id}-${number}`;
  }

  /** Adds an object, or replaces the one with its id. */
  put(collection: string, object: StoredObject, content?: Uint8Array): void {
    const key = keyOf(collection, object.id);
    const before = this.#entries.get(key);
    this.#contentBytes += (content?.byteLength ?? 0) - (before?.content?.byteLength ?? 0);
    this.#entries.set(key, { collection, object, content });
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= this.#limits.objects && this.#contentBytes <= this.#limits.contentBytes) break;
      this.#contentBytes -= entry.content?.byteLength ?? 0;
      this.#entries.delete(oldest);
    }
  }

  get(collection: string, id: string): StoredObject | undefined {
    return this.#entries.get(keyOf(collection, id))?.object;
  }

  content(collection: string, id: string): Uint8Array | undefined {
    return this.#entries.get(keyOf(collection, id))?.content;
  }

  /** Oldest first. */
  list(collection: string): StoredObject[] {
    return [...this.#entries.values()].filter((entry) => entry.collection === collection).map(({ object }) => object);
  }

  /** Also removes everything in the collections below it. */
  delete(collection: string, id: string): boolean {
    const key = keyOf(collection, id);
    const found = this.#entries.has(key);
    for (const [other, { content }] of this.#entries) {
      if (other !== key && !other.startsWith(`${key}/`)) continue;
      this.#contentBytes -= content?.byteLength ?? 0;
      this.#entries.delete(other);
    }
    return found;
  }

  clear(): void {
    this.#entries.clear();
    this.#contentBytes = 0;
  }
}

function keyOf(collection: string, id: string): string {
  return `${collection}/${id}`;
}
