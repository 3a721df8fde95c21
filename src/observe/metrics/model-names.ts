/**
 * The models that metrics name: those of keys' allow-lists, then those of the last model list that was relayed, at most 50.
 * All others are `other`: a client that makes up names adds no series.
 */
import type { ApiKey } from '../../keys/key.ts';

const NAMES_MAX = 50;
const OTHER_MODEL = 'other';

export class ModelNames {
  readonly #ofKeys = new Set<string>();
  #ofList: ReadonlySet<string> = new Set();
  readonly #seenKeys = new WeakSet<ApiKey>();

  /** @param model as the client named it */
  labelOf(model: string | null): string {
    return model !== null && (this.#ofKeys.has(model) || this.#ofList.has(model)) ? model : OTHER_MODEL;
  }

  /** Call it as often as you like: a key is looked at once. */
  learnFromKey(key: ApiKey): void {
    if (key.allowedModels === null || this.#seenKeys.has(key)) return;
    this.#seenKeys.add(key);
    for (const name of key.allowedModels) if (this.#ofKeys.size < NAMES_MAX) this.#ofKeys.add(name);
    this.#setList(this.#ofList);
  }

  /** @param bytes the body of a model list; anything else is passed over */
  learnFromList(bytes: Uint8Array): void {
    const names = new Set<string>();
    try {
      const { data } = JSON.parse(Buffer.from(bytes).toString()) as { data: { id: unknown }[] };
      for (const { id } of data) if (typeof id === 'string') names.add(id);
    } catch {
      return;
    }
    this.#setList(names);
  }

  #setList(names: Iterable<string>): void {
    const others = [...names].filter((name) => !this.#ofKeys.has(name));
    this.#ofList = new Set(others.slice(0, NAMES_MAX - this.#ofKeys.size));
  }
}
