/** A reader of GET /admin/live, by events. */
import { ADMIN_KEY } from './admin-client.ts';

interface LiveEvent {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a test reads of an event is what it tests.
  readonly data: any;
}

export class LiveView {
  readonly response: Response;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  readonly #events: LiveEvent[] = [];
  #text = '';

  private constructor(response: Response) {
    this.response = response;
    this.#reader = response.body!.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  }

  static async open(url: string): Promise<LiveView> {
    return new LiveView(await fetch(`${url}/admin/live`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } }));
  }

  /** The next event that is wanted; what comes before it is passed over. Null: the view has ended. */
  async next(wanted: (event: LiveEvent) => boolean): Promise<LiveEvent | null> {
    for (;;) {
      for (let event = this.#events.shift(); event; event = this.#events.shift()) if (wanted(event)) return event;
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#text += this.#decoder.decode(value, { stream: true });
      const parts = this.#text.split('\n\n');
      this.#text = parts.pop()!;
      for (const part of parts) {
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(part)!;
        this.#events.push({ name: name!, data: JSON.parse(data!) });
      }
    }
  }

  async close(): Promise<void> {
    await this.#reader.cancel();
  }
}

export const isRequest = ({ name }: LiveEvent) => name === 'request';
export const isSnapshot = ({ name }: LiveEvent) => name === 'snapshot';
