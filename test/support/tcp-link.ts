/** A TCP link to a server that tests can cut, also between a command and its answer, or lead to another server. */

import { once } from 'node:events';
import { createServer, connect as dial, type Socket } from 'node:net';

export interface TcpLink extends AsyncDisposable {
  readonly port: number;
  /** Connections made so far. */
  readonly connections: number;
  /** Where new connections lead from now on. */
  leadTo(port: number): void;
  /** Ends all connections by a reset. */
  cut(): void;
  /**
   * From now on each connection is cut when `matches` says so of bytes from its client: the server gets and does what they
   * ask, the client never learns of it. null: no more.
   */
  cutAfter(matches: ((bytes: Buffer) => boolean) | null): void;
  /** How many connections `cutAfter` has cut. */
  readonly cuts: number;
}

export async function startTcpLink(serverPort: number): Promise<TcpLink> {
  const pairs = new Set<{ client: Socket; server: Socket }>();
  let target = serverPort;
  let connections = 0;
  let cuts = 0;
  let isFatal: ((bytes: Buffer) => boolean) | null = null;
  const listener = createServer((client) => {
    connections++;
    const server = dial(target, '127.0.0.1');
    const pair = { client, server };
    pairs.add(pair);
    let isCut = false;
    client.on('data', (bytes: Buffer) => {
      if (isFatal?.(bytes) && !isCut) {
        isCut = true;
        cuts++;
        // The server closes by itself once it has answered into nothing.
        server.end(bytes);
        client.resetAndDestroy();
      } else server.write(bytes);
    });
    server.on('data', (bytes) => client.write(bytes));
    client.on('end', () => server.end());
    server.on('end', () => client.end());
    for (const socket of [client, server]) socket.on('error', () => {});
    client.on('close', () => isCut || server.destroy());
    server.on('close', () => {
      pairs.delete(pair);
      client.destroy();
    });
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const cut = () => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.destroy();
    }
  };
  return {
    port: (listener.address() as { port: number }).port,
    get connections() {
      return connections;
    },
    get cuts() {
      return cuts;
    },
    leadTo: (port) => {
      target = port;
    },
    cut,
    cutAfter: (matches) => {
      isFatal = matches;
    },
    [Symbol.asyncDispose]: async () => {
      listener.close();
      cut();
      await once(listener, 'close');
    },
  };
}
