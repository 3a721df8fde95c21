/** Open streams, to measure memory: each has received its head and first event. */
import { connect, type Socket } from 'node:net';
import { requestTo, type TargetEndpoint } from './load.ts';

const FIRST_EVENT_TIMEOUT_MS = 10_000;

export class OpenStreams {
  readonly #endpoint: TargetEndpoint;
  readonly #sockets: Socket[] = [];

  constructor(endpoint: TargetEndpoint) {
    this.#endpoint = endpoint;
  }

  /** Opens streams up to `count`; resolves with the number of streams that received their first event. */
  async growTo(count: number): Promise<number> {
    const opened: Promise<boolean>[] = [];
    while (this.#sockets.length < count) opened.push(this.#open());
    const answered = await Promise.all(opened);
    return this.#sockets.length - answered.filter((first) => !first).length;
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
  }

  #open(): Promise<boolean> {
    const { hostname, port, host, pathname } = new URL(this.#endpoint.url);
    const { method, path, headers, body } = requestTo(this.#endpoint, pathname, 'open');
    const lines = Object.entries({ host, ...headers, 'content-length': String(Buffer.byteLength(body)) });
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
    const socket = connect(Number(port), hostname);
    this.#sockets.push(socket);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), FIRST_EVENT_TIMEOUT_MS);
      const settle = (first: boolean) => {
        clearTimeout(timer);
        resolve(first);
      };
      socket.on('data', (bytes) => {
        if (bytes.includes('data: ')) settle(true);
      });
      socket.on('error', () => settle(false));
      socket.on('close', () => settle(false));
      socket.write(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`);
    });
  }
}
