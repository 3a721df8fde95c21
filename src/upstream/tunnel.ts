/** A tunnel through an HTTP proxy: the CONNECT request and the answer to it (RFC 9110, section 9.3.6). */
import { ConnectError, ProxyRefusal } from './connect-error.ts';
import { Http1Error, parseHead } from './http1-head.ts';

/** A proxy's answer has a few fields. The page behind a refusal is not read. */
const ANSWER_BYTES_MAX = 16 * 1024;
const HEAD_END = Buffer.from('\r\n\r\n');

/** @param authority host and port of the upstream, an IPv6 address in brackets */
export function connectRequest(authority: string, authorization: string | null): Uint8Array {
  const credentials = authorization === null ? '' : `proxy-authorization: ${authorization}\r\n`;
  return Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`, 'latin1');
}

export class TunnelAnswer {
  #read: Buffer = Buffer.alloc(0);

  /**
   * @returns whether the tunnel is open
   * @throws ConnectError
   */
  push(bytes: Uint8Array): boolean {
    this.#read = Buffer.concat([this.#read, bytes]);
    for (;;) {
      const end = this.#read.indexOf(HEAD_END);
      if (end === -1 && this.#read.length > ANSWER_BYTES_MAX) throw invalid('its answer is too large');
      if (end === -1) return false;
      const status = statusOf(this.#read.toString('latin1', 0, end));
      this.#read = this.#read.subarray(end + HEAD_END.length);
      if (status >= 200) return this.#isOpen(status);
    }
  }

  #isOpen(status: number): boolean {
    if (status >= 300) throw new ProxyRefusal(`PROXY_STATUS_${status}`, `the proxy answered with status ${status}`);
    // Through the tunnel the client speaks first, so these bytes would be the proxy's own, read as upstream's.
    if (this.#read.length > 0) throw invalid('bytes behind its answer');
    return true;
  }
}

function statusOf(head: string): number {
  try {
    // A 2xx has no body, whatever its fields say.
    return parseHead(head, true).status;
  } catch (error) {
    throw invalid(error instanceof Http1Error ? error.message : 'its answer cannot be read');
  }
}

function invalid(what: string): ConnectError {
  return new ConnectError('PROXY_INVALID_ANSWER', `the proxy sent an invalid answer to CONNECT: ${what}`);
}
