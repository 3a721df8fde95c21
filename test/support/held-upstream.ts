/**
 * An upstream whose answers the test writes itself, when it wants to. A scenario of the mock delays by time; here the test
 * decides, so that the order of things is the same on a slow machine.
 */
import type { RequestHead } from '../../src/mock/received-request.ts';
import { RequestReader } from '../../src/mock/request-reader.ts';
import { type RawConnection, rawUpstream } from '../upstream/raw-upstream.ts';

/** A request that has arrived completely. Its answer must be ASCII. */
export class HeldRequest {
  readonly method: string;
  readonly path: string;

  constructor(
    readonly connection: RawConnection,
    head: RequestHead,
  ) {
    this.method = head.method;
    this.path = head.path;
  }

  /** The head of a stream and its first event. */
  begin(event: string): void {
    const fields = 'content-type: text/event-stream\r\ntransfer-encoding: chunked';
    this.connection.write(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${chunk(event)}`);
  }

  event(event: string): void {
    this.connection.write(chunk(event));
  }

  /** Ends a stream in order. */
  end(): void {
    this.connection.write('0\r\n\r\n');
  }

  /** Sends a complete answer. */
  json(status: number, value: unknown): void {
    const body = JSON.stringify(value);
    const fields = `content-type: application/json\r\ncontent-length: ${body.length}`;
    this.connection.write(`HTTP/1.1 ${status} As told\r\n${fields}\r\n\r\n${body}`);
  }
}

interface HeldUpstream {
  /** Including /v1. */
  readonly url: string;
  /** The next request. Without a timeout: the test runner has one. */
  next(): Promise<HeldRequest>;
  stop(): void;
}

export function heldUpstream(): HeldUpstream {
  const readers = new Map<RawConnection, RequestReader>();
  const arrived: HeldRequest[] = [];
  const waiting: ((request: HeldRequest) => void)[] = [];
  const upstream = rawUpstream((connection) => {
    const reader = readers.get(connection) ?? new RequestReader(() => {});
    readers.set(connection, reader);
    reader.push(Buffer.from(connection.takeText(), 'latin1'));
    const whole = reader.next();
    if (!whole) return;
    const request = new HeldRequest(connection, whole.head);
    const resolve = waiting.shift();
    if (resolve) resolve(request);
    else arrived.push(request);
  });
  return {
    url: `${upstream.url}/v1`,
    next: () => {
      const request = arrived.shift();
      return request ? Promise.resolve(request) : new Promise((resolve) => waiting.push(resolve));
    },
    stop: upstream.stop,
  };
}

function chunk(event: string): string {
  return `${event.length.toString(16)}\r\n${event}\r\n`;
}
