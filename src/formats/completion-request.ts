/**
 * Makes a chat completion of a legacy one (POST /v1/completions): the prompt becomes one user message. It is put together from
 * the bytes of the request's own members, so fields the gateway does not know, their order and their numbers stay as they are.
 */
import { COMMA, JSON_ARRAY, JSON_FALSE, JSON_NULL, JSON_NUMBER, JSON_STRING, QUOTE } from './json-grammar.ts';
import { JsonScanner } from './json-scanner.ts';
import type { JsonSink } from './json-sink.ts';
import { isName, NameTable } from './json-text.ts';

/** What a chat completion has no place for. `messages` would be there twice. */
const LEGACY = ['prompt', 'suffix', 'echo', 'best_of', 'logprobs', 'messages'] as const;
type LegacyField = (typeof LEGACY)[number];
const LEGACY_TABLE = new NameTable(LEGACY);

const MEMBERS_MAX = 1000;
/** OpenAI's own bound. */
const PROMPTS_MAX = 2048;
const STEP_BYTES = 64 * 1024;
const BETWEEN_MEMBERS = Buffer.from(',');
/** Two line feeds, in a JSON string. */
const BETWEEN_PROMPTS = Buffer.from('\\n\\n');

/** The request has no counterpart among chat completions; the message names the field. */
export class CompletionError extends Error {}

interface Span {
  readonly from: number;
  readonly to: number;
}

export class CompletionRequest implements JsonSink {
  readonly #scanner = new JsonScanner(this);
  readonly #body: Uint8Array;
  #at = 0;
  #inRoot = false;
  #inPrompt = false;
  /** Of the member at hand; null: it goes on as it is. */
  #field: LegacyField | null = null;
  /** Where the member before it ends, or the object begins. */
  #memberFrom = 0;
  readonly #kept: Span[] = [];
  /** How many of those stand before the prompt. */
  #promptAt = 0;
  #prompts: Span[] | null = null;

  /** @param body a valid JSON object */
  constructor(body: Uint8Array) {
    this.#body = body;
  }

  /** A part of the work, see SlicedWork. @throws CompletionError */
  step(): boolean {
    const to = Math.min(this.#at + STEP_BYTES, this.#body.length);
    this.#scanner.push(this.#body, this.#at, to);
    this.#at = to;
    return to === this.#body.length;
  }

  /** Once it is done. @throws CompletionError */
  chatRequest(): Uint8Array {
    if (this.#prompts === null) throw new CompletionError("Missing field 'prompt'");
    const members = this.#kept.map((span) => this.#bytes(span));
    members.splice(this.#promptAt, 0, this.#messages(this.#prompts));
    return Buffer.concat([Buffer.from('{'), ...between(members, BETWEEN_MEMBERS), Buffer.from('}')]);
  }

  name(bytes: Uint8Array, from: number, to: number): boolean {
    const field = LEGACY_TABLE.find(bytes, from, to);
    this.#field = field !== undefined && isName(bytes, from, to, field) ? field : null;
    return true;
  }

  enter(kind: number): boolean {
    if (!this.#inRoot) {
      this.#inRoot = true;
      this.#memberFrom = this.#scanner.valueFrom + 1;
      return true;
    }
    if (this.#inPrompt || this.#field !== 'prompt' || kind !== JSON_ARRAY) return false;
    this.#startPrompt();
    this.#inPrompt = true;
    return true;
  }

  leave(): void {
    if (!this.#inPrompt) return;
    this.#inPrompt = false;
    if (this.#prompts?.length === 0) throw wrongPrompt();
    this.#memberFrom = this.#scanner.valueTo;
  }

  value(kind: number): void {
    if (this.#inPrompt) {
      this.#addPrompt(kind);
      return;
    }
    if (this.#field === null) this.#keep();
    else if (this.#field === 'prompt') {
      this.#startPrompt();
      this.#addPrompt(kind);
    } else if (!this.#isWithoutEffect(this.#field, kind)) {
      throw new CompletionError(`Field '${this.#field}' is not supported on /v1/completions`);
    }
    this.#memberFrom = this.#scanner.valueTo;
  }

  #keep(): void {
    if (this.#kept.length === MEMBERS_MAX) throw new CompletionError(`The request has more than ${MEMBERS_MAX} fields`);
    let from = this.#memberFrom;
    while ((this.#body[from] as number) <= 0x20 || this.#body[from] === COMMA) from++;
    this.#kept.push({ from, to: this.#scanner.valueTo });
  }

  #startPrompt(): void {
    if (this.#prompts !== null) throw new CompletionError("Field 'prompt' occurs twice");
    this.#promptAt = this.#kept.length;
    this.#prompts = [];
  }

  #addPrompt(kind: number): void {
    const { valueFrom, valueTo } = this.#scanner;
    if (kind !== JSON_STRING) throw wrongPrompt();
    if (this.#prompts!.length === PROMPTS_MAX)
      throw new CompletionError(`Field 'prompt' has more than ${PROMPTS_MAX} texts`);
    // Without its quotes.
    this.#prompts!.push({ from: valueFrom + 1, to: valueTo - 1 });
  }

  #isWithoutEffect(field: LegacyField, kind: number): boolean {
    if (field === 'messages') return false;
    if (kind === JSON_NULL) return true;
    if (field === 'echo') return kind === JSON_FALSE;
    return field === 'best_of' && kind === JSON_NUMBER && this.#scanner.text.toNumber() === 1;
  }

  #messages(prompts: readonly Span[]): Uint8Array {
    const texts = prompts.map((span) => this.#bytes(span));
    const start = Buffer.from('"messages":[{"role":"user","content":"');
    return Buffer.concat([start, ...between(texts, BETWEEN_PROMPTS), Buffer.from([QUOTE]), Buffer.from('}]')]);
  }

  #bytes({ from, to }: Span): Uint8Array {
    return this.#body.subarray(from, to);
  }
}

function wrongPrompt(): CompletionError {
  return new CompletionError("Invalid type for 'prompt': expected a string or an array of strings");
}

function between(parts: readonly Uint8Array[], separator: Uint8Array): Uint8Array[] {
  return parts.flatMap((part, i) => (i === 0 ? [part] : [separator, part]));
}
