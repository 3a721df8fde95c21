/** Reads server-sent events from a response as they arrive. EventSource cannot do it, because it cannot send a key. */

export interface ServerEvent {
  /** `message` when none was named. */
  readonly name: string;
  readonly data: string;
}

/** Takes text in pieces of any size. */
export class EventParser {
  #rest = '';
  #name = '';
  #data: string[] = [];
  readonly #onEvent: (event: ServerEvent) => void;

  constructor(onEvent: (event: ServerEvent) => void) {
    this.#onEvent = onEvent;
  }

  push(text: string): void {
    const all = this.#rest + text;
    let start = 0;
    for (;;) {
      const end = lineEnd(all, start);
      if (end === null) break;
      this.#line(all.slice(start, end.at));
      start = end.next;
    }
    this.#rest = all.slice(start);
  }

  #line(line: string): void {
    if (line === '') {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(':');
    // A comment keeps the connection alive and says nothing.
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
  }

  #dispatch(): void {
    const { length } = this.#data;
    const name = this.#name || 'message';
    const data = length === 1 ? this.#data[0]! : this.#data.join('\n');
    this.#name = '';
    this.#data = [];
    if (length > 0) this.#onEvent({ name, data });
  }
}

/** A lone CR at the end may be the first half of CRLF: more must come before it is known. */
function lineEnd(text: string, from: number): { at: number; next: number } | null {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 10) return { at: i, next: i + 1 };
    if (code !== 13) continue;
    if (i + 1 === text.length) return null;
    return { at: i, next: text.charCodeAt(i + 1) === 10 ? i + 2 : i + 1 };
  }
  return null;
}

/** Resolves when the body has ended; rejects when it broke off. `onBytes` is told of each read, before its events. */
export async function readEvents(
  body: ReadableStream<Uint8Array>,
  onEvent: (event: ServerEvent) => void,
  onBytes: (count: number) => void = () => {},
): Promise<void> {
  const parser = new EventParser(onEvent);
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    onBytes(value.length);
    parser.push(decoder.decode(value, { stream: true }));
  }
}
