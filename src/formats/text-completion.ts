/**
 * Makes a legacy completion of a chat completion, as its answer passes: the one answer that is held until it is whole, within
 * bounds, and written anew.
 */

/** A long answer has some hundred kilobytes. */
const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

interface Choice {
  readonly index?: unknown;
  readonly message?: { readonly content?: unknown } | null;
  readonly finish_reason?: unknown;
}

export class TextCompletionFilter {
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;
  #completion: Uint8Array | null | undefined;

  /** The bytes that the client gets, less those that upstream sent. Once it has ended. */
  get addedBytes(): number {
    return (this.#completion?.length ?? 0) - this.#bytes;
  }

  /** What came is no chat completion. To be asked once it has ended. */
  get isInvalid(): boolean {
    return this.#ended() === null;
  }

  push(bytes: Uint8Array): null {
    this.#bytes += bytes.length;
    if (this.#bytes <= ANSWER_BYTES_MAX) this.#parts.push(new Uint8Array(bytes));
    else this.#parts.length = 0;
    return null;
  }

  end(): Uint8Array | null {
    return this.#ended();
  }

  drop(): boolean {
    return false;
  }

  #ended(): Uint8Array | null {
    if (this.#completion === undefined) {
      this.#completion = this.#bytes > ANSWER_BYTES_MAX ? null : textCompletionOf(Buffer.concat(this.#parts));
      this.#parts.length = 0;
    }
    return this.#completion;
  }
}

function textCompletionOf(answer: Buffer): Uint8Array | null {
  let chat: { readonly id?: unknown; readonly choices?: unknown } | null;
  try {
    chat = JSON.parse(answer.toString()) as typeof chat;
  } catch {
    return null;
  }
  if (!Array.isArray(chat?.choices)) return null;
  const choices = (chat.choices as (Choice | null)[]).map((choice, i) => ({
    text: textOf(choice?.message?.content),
    index: choice?.index ?? i,
    logprobs: null,
    finish_reason: choice?.finish_reason ?? null,
  }));
  const id = typeof chat.id === 'string' ? chat.id.replace(/^chatcmpl-/, 'cmpl-') : chat.id;
  return Buffer.from(JSON.stringify({ ...chat, id, object: 'text_completion', choices }));
}

/** Some servers send the content in parts. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown } | null) => (typeof part?.text === 'string' ? part.text : '')).join('');
}
