/** The admin API as the soak uses it. A call that is not answered as it must be is a finding. */
export class AdminClient {
  readonly #url: string;
  readonly #key: string;

  constructor(url: string, key: string) {
    this.#url = url;
    this.#key = key;
  }

  /** @throws Error when the answer is not the one expected */
  async call<T>(method: string, path: string, expected: number, body?: unknown): Promise<T> {
    const answer = await fetch(`${this.#url}/admin${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#key}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // A connection of its own: a kept one may be closed by a restart just then.
      keepalive: false,
    });
    const text = await answer.text();
    if (answer.status !== expected) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 200)}`);
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  /** The names of the events of a feed, as they come. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const answer = await fetch(`${this.#url}/admin${path}`, {
      headers: { authorization: `Bearer ${this.#key}` },
      signal,
    });
    if (!answer.body) return;
    const decoder = new TextDecoder();
    let rest = '';
    for await (const part of answer.body) {
      const lines = (rest + decoder.decode(part, { stream: true })).split('\n');
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith('event: ')) yield line.slice('event: '.length).trim();
    }
  }
}
