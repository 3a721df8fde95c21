/** Writes an answer as HTTP/1.1: status line, headers, chunk lines and the end; valid or invalid as the scenario says. */
import { STATUS_CODES } from 'node:http';
import type { Framing } from './scenario.ts';

export type Header = readonly [name: string, value: string];

/** The greeting of another service on this port. */
export const GARBAGE = 'SSH-2.0-OpenSSH_9.6p1\r\n\0\0\x05\xdc\x07\x14';

/** The error of wrong Content-Lengths and chunk sizes. */
const OFF_BY_BYTES = 10;

const CHUNKED: readonly Framing[] = [
  'chunked',
  'trailers',
  'chunk_extensions',
  'lf_only',
  'both',
  'bad_chunk_size',
  'short_chunk',
];
const SIZED: readonly Framing[] = ['length', 'length_short', 'length_long', 'both'];
/** Framings that end with the end of the connection. */
const CLOSING: readonly Framing[] = ['close', 'http10', 'length_short', 'short_chunk'];

export class WireFormat {
  readonly chunked: boolean;
  /** The head states the body's size, so the size must be known first. */
  readonly sized: boolean;
  readonly closes: boolean;
  readonly #eol: string;

  constructor(readonly framing: Framing) {
    this.chunked = CHUNKED.includes(framing);
    this.sized = SIZED.includes(framing);
    this.closes = CLOSING.includes(framing);
    this.#eol = framing === 'lf_only' ? '\n' : '\r\n';
  }

  /** @param bodyBytes undefined for a status that has no body (204, 304) */
  head(status: number, headers: readonly Header[], bodyBytes: number | undefined, keepAlive: boolean): Buffer {
    const version = this.framing === 'http10' ? '1.0' : '1.1';
    const lines = [`HTTP/${version} ${status} ${STATUS_CODES[status] ?? 'Unknown'}`];
    for (const [name, value] of headers) lines.push(`${name}: ${value}`);
    if (bodyBytes !== undefined && this.sized) lines.push(`content-length: ${this.#announced(bodyBytes)}`);
    if (bodyBytes !== undefined && this.chunked) lines.push('transfer-encoding: chunked');
    if (this.framing === 'trailers') lines.push('trailer: x-mock-trailer, x-mock-end');
    if (!keepAlive && this.framing !== 'http10') lines.push('connection: close');
    return Buffer.from(lines.join(this.#eol) + this.#eol + this.#eol, 'latin1');
  }

  /** What precedes a piece of the body of this size. */
  chunkStart(pieceBytes: number): string {
    if (!this.chunked) return '';
    const size = pieceBytes.toString(16);
    if (this.framing !== 'chunk_extensions') return size + this.#eol;
    return `${size.toUpperCase().padStart(8, '0')};mock="a;b";last${this.#eol}`;
  }

  get chunkEnd(): string {
    return this.chunked ? this.#eol : '';
  }

  /** What follows the whole body. */
  get end(): string {
    const eol = this.#eol;
    if (!this.chunked) return '';
    if (this.framing === 'short_chunk')
      return `${(2 * OFF_BY_BYTES).toString(16)}${eol}${': mock\n\n\n'.padEnd(OFF_BY_BYTES, '\n')}`;
    if (this.framing === 'bad_chunk_size') return `xyz${eol}0${eol}${eol}`;
    if (this.framing === 'trailers') return `0${eol}x-mock-trailer: one${eol}x-mock-end: two${eol}${eol}`;
    return `0${eol}${eol}`;
  }

  #announced(bodyBytes: number): number {
    if (this.framing === 'length_short') return bodyBytes + OFF_BY_BYTES;
    if (this.framing === 'length_long') return Math.max(0, bodyBytes - OFF_BY_BYTES);
    return bodyBytes;
  }
}

/** The n-th interim head, from 0. */
export function interimHead(n: number): Buffer {
  const text = n % 2 === 0 ? 'HTTP/1.1 100 Continue' : 'HTTP/1.1 103 Early Hints\r\nlink: </mock>; rel=preload';
  return Buffer.from(`${text}\r\n\r\n`);
}
