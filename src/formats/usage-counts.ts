/**
 * Owns the token counts of one usage object, the names providers give them, and the rules (contract, section 6) that turn them
 * into prompt, completion and total. Guarantees: a count is a non-negative safe integer or unknown, never a guess.
 */

export interface Usage {
  promptTokens: number | null;
  /** Of the prompt's: read from a cache of upstream's. */
  cachedTokens: number | null;
  completionTokens: number | null;
  /** Of the completion's: thought, not said. */
  reasoningTokens: number | null;
  totalTokens: number | null;
}

export type UsageForm = 'openai' | 'responses' | 'anthropic';

/** The position in this list is the index of the count. */
export const COUNT_NAMES = [
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
] as const;

/** The objects in a usage object that are read, and of each the one count that is. Their indexes follow those of COUNT_NAMES. */
export const DETAIL_NAMES = [
  ['prompt_tokens_details', 'cached_tokens'],
  ['completion_tokens_details', 'reasoning_tokens'],
  ['input_tokens_details', 'cached_tokens'],
  ['output_tokens_details', 'reasoning_tokens'],
] as const;

const PROMPT = 0;
const COMPLETION = 1;
const TOTAL = 2;
const INPUT = 3;
const OUTPUT = 4;
const CACHE_READ = 5;
const CACHE_CREATION = 6;
const CACHED_OF_PROMPT = 7;
const REASONING_OF_COMPLETION = 8;
const CACHED_OF_INPUT = 9;
const REASONING_OF_OUTPUT = 10;

const CACHED = { openai: CACHED_OF_PROMPT, responses: CACHED_OF_INPUT, anthropic: CACHE_READ } as const;
// Anthropic says how many it has thought in the same place as OpenAI's Responses, if at all.
const REASONING = {
  openai: REASONING_OF_COMPLETION,
  responses: REASONING_OF_OUTPUT,
  anthropic: REASONING_OF_OUTPUT,
} as const;

const ABSENT = -1; // not in the object, or null
const UNKNOWN = -2; // there, but no count

export class UsageCounts {
  readonly #counts: number[] = new Array(COUNT_NAMES.length + DETAIL_NAMES.length).fill(ABSENT);

  clear(): void {
    this.#counts.fill(ABSENT);
  }

  set(index: number, value: number): void {
    // `+ 0` turns -0 into 0.
    this.#counts[index] = Number.isSafeInteger(value) && value >= 0 ? value + 0 : UNKNOWN;
  }

  setUnknown(index: number): void {
    this.#counts[index] = UNKNOWN;
  }

  setAbsent(index: number): void {
    this.#counts[index] = ABSENT;
  }

  /** False for an object without a single count: it reports nothing and must not wipe out an earlier one. */
  get reportsSomething(): boolean {
    for (let index = 0; index < COUNT_NAMES.length; index++) if (this.#at(index) >= 0) return true;
    return false;
  }

  replaceBy(other: UsageCounts): void {
    for (let index = 0; index < this.#counts.length; index++) this.#counts[index] = other.#at(index);
  }

  /** What the other object has wins, unknown included; what it does not have stays. */
  overlayBy(other: UsageCounts): void {
    for (let index = 0; index < this.#counts.length; index++) {
      if (other.#at(index) !== ABSENT) this.#counts[index] = other.#at(index);
    }
  }

  /** Null when nothing was reported. */
  toUsage(form: UsageForm): Usage | null {
    const promptTokens = this.#prompt(form);
    const completionTokens = known(this.#at(form === 'openai' ? COMPLETION : OUTPUT));
    // Upstream's own total stands even where it is not the sum: xAI counts reasoning tokens only there.
    const totalTokens = known(this.#at(TOTAL)) ?? sum(promptTokens, completionTokens);
    if (promptTokens === null && completionTokens === null && totalTokens === null) return null;
    const cachedTokens = known(this.#at(CACHED[form]));
    const reasoningTokens = known(this.#at(REASONING[form]));
    return { promptTokens, cachedTokens, completionTokens, reasoningTokens, totalTokens };
  }

  #prompt(form: UsageForm): number | null {
    if (form === 'openai') return known(this.#at(PROMPT));
    const input = known(this.#at(INPUT));
    if (form === 'responses') return input;
    // Anthropic's input_tokens leaves the cached ones out. A part that is there but unreadable makes the whole unknown.
    return sum(sum(input, knownOrZero(this.#at(CACHE_READ))), knownOrZero(this.#at(CACHE_CREATION)));
  }

  #at(index: number): number {
    return this.#counts[index] as number;
  }
}

function known(count: number): number | null {
  return count >= 0 ? count : null;
}

function knownOrZero(count: number): number | null {
  return count === ABSENT ? 0 : known(count);
}

function sum(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return null;
  return Number.isSafeInteger(a + b) ? a + b : null;
}
