/**
 * An upstream whose answers the test writes itself, when it wants to: what a scenario of the mock holds back by a time is held
 * back here by the test, so that a slow machine finds everything in the order in which it is tested.
 */
import type { RequestHead } from '../../src/mock/received-request.ts';
import { RequestReader } from '../../src/mock/request-reader.ts';
import { type RawConnection, rawUpstream } from '../upstream/raw-upstream.ts';

/** One that has arrived whole. All of its answer is ASCII. */
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

  /** The proper end of a stream. */
  end(): void {
    this.connection.write('0\r\n\r\n');
  }

  /** A whole answer. */
  json(status: number, value: unknown): void {
    const body = JSON.stringify(value);
    const fields = `content-type: application/json\r\ncontent-length: ${body.length}`;
    this.connection.write(`HTTP/1.1 ${status} As told\r\n${fields}\r\n\r\n${body}`);
  }
}

interface HeldUpstream {
  /** Including /v1. */
  readonly url: string;
  /** The next request. Never times out: the test runner does. */
  next(): Promise<HeldRequest>;
  stop(): void;
}

export function heldUpstream(): HeldUpstream {
  const readers = new Map<RawConnection, RequestReader>();
  const arrived: HeldRequest[] = [];
  const asking: ((request: HeldRequest) => void)[] = [];
  const upstream = rawUpstream((connection) => {
    const reader = readers.get(connection) ?? new RequestReader(() => {});
    readers.set(connection, reader);
    reader.push(Buffer.from(connection.takeText(), 'latin1'));
    const whole = reader.next();
    if (!whole) return;
    const request = new HeldRequest(connection, whole.head);
    const asked = asking.shift();
    if (asked) asked(request);
    else arrived.push(request);
  });
  return {
    url: `${upstream.url}/v1`,
    next: () => {
      const request = arrived.shift();
      return request ? Promise.resolve(request) : new Promise((resolve) => asking.push(resolve));
    },
    stop: upstream.stop,
  };
}

function chunk(event: string): string {
  return `${event.length.toString(16)}\r\n${event}\r\n`;
}
