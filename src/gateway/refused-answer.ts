/**
 * An answer of upstream that the client does not get as it is: a 401 or 5xx to a request that is not streamed. Its body is
 * read, within bounds, and its message goes into our own error (contract, section 4). When it was read to its end, the
 * connection can be used again.
 */
import { GatewayError } from '../errors.ts';
import type { BodySink } from '../upstream/client.ts';
import type { KeyMask } from './key-mask.ts';

/** Error bodies have some hundred bytes. */
const BODY_BYTES_MAX = 64 * 1024;
const MESSAGE_CHARACTERS_MAX = 1000;

export class RefusedAnswer implements BodySink {
  /** Called once with the error for the client, when enough of the body was read. */
  whenRead: (error: GatewayError) => void = () => {};
  readonly #status: number;
  readonly #isJson: boolean;
  readonly #keyMask: KeyMask;
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(status: number, isJson: boolean, keyMask: KeyMask) {
    this.#status = status;
    this.#isJson = isJson;
    this.#keyMask = keyMask;
  }

  data(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > BODY_BYTES_MAX) this.end();
    else if (this.#isJson) this.#parts.push(new Uint8Array(bytes));
  }

  end(): void {
    this.whenRead(refusalInstead(this.#status, this.#isJson ? Buffer.concat(this.#parts) : null, this.#keyMask));
  }

  fail(): void {
    this.end();
  }
}

/** @param json the body, when it is JSON */
export function refusalInstead(status: number, json: Uint8Array | null, keyMask: KeyMask): GatewayError {
  const message = json === null ? null : messageIn(keyMask.masked(json));
  return new GatewayError('upstream_error', `Upstream answered with status ${status}`, { quoted: message });
}

/** `error.message` as OpenAI and Anthropic have it, or the fields that others use. */
function messageIn(body: Uint8Array): string | null {
  try {
    const { error, message, detail } = JSON.parse(Buffer.from(body).toString()) as Record<string, unknown>;
    const inner = typeof error === 'object' && error !== null ? (error as { message?: unknown }).message : error;
    const found = [inner, message, detail].find((text) => typeof text === 'string' && text !== '');
    return found === undefined ? null : (found as string).slice(0, MESSAGE_CHARACTERS_MAX);
  } catch {
    return null;
  }
}
