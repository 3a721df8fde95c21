/** RESPONSE_HEADERS_EXTRA: further response headers for clients, by name or by the beginning of a name. */
import type { ResponseHeaders } from '../upstream/client.ts';

const PATTERN = /^[!#$%&'+\-.^_`|~0-9a-z]+\*?$/;
/** Never passed: fields of one connection, of the encoding that is undone here, or set by the gateway. */
const NEVER =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-length|content-encoding|date|set-cookie|x-bve-latency|access-control-.*)$/;

export class ExtraHeaders {
  readonly #names: readonly string[];
  readonly #prefixes: readonly string[];

  /** @param patterns as `parseExtraHeaders` returns them */
  constructor(patterns: string) {
    const all = patterns === '' ? [] : patterns.split(',');
    this.#names = all.filter((pattern) => !pattern.endsWith('*'));
    this.#prefixes = all.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1));
  }

  /** In lower case. */
  namesIn(upstream: ResponseHeaders): readonly string[] {
    if (this.#prefixes.length === 0) return this.#names;
    const begins = (name: string) => this.#prefixes.some((prefix) => name.startsWith(prefix)) && !NEVER.test(name);
    return [...this.#names, ...[...upstream.keys()].filter(begins)];
  }
}

/** In lower case, without blanks. @throws Error whose message completes the sentence "NAME …" */
export function parseExtraHeaders(text: string): string {
  const patterns = text.split(',').map((pattern) => pattern.trim().toLowerCase());
  if (patterns.length === 1 && patterns[0] === '') return '';
  for (const pattern of patterns) {
    if (!PATTERN.test(pattern)) throw new Error(`must list names of headers, or beginnings like x-ratelimit-*`);
    if (NEVER.test(pattern)) throw new Error(`must not list ${pattern}`);
  }
  return patterns.join(',');
}
