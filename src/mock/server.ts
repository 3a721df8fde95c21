/**
 * The scripted upstream. It uses raw sockets, so that it can send invalid HTTP, resets and exact split points; without a
 * script it behaves like a small OpenAI-compatible server. One thread, no timer per stream.
 */
import { answerTo } from './answers.ts';
import { chooseScenario, type Rotation, type Script } from './choose-scenario.ts';
import { type ConnectionServer, MockConnection, type MockSocket } from './connection.ts';
import { KeyBehaviours } from './key-behaviour.ts';
import { ObjectStore } from './objects.ts';
import { type ReceivedRequest, type RecordedRequest, RequestLog } from './received-request.ts';
import { ReplayFolder } from './replay-folder.ts';
import { rotationOf } from './rotation.ts';
import type { Scenario } from './scenario.ts';
import { parseScenario } from './scenario-parser.ts';
import { Ticker } from './ticker.ts';

export interface MockOptions {
  /** Default 0: a free port. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly hostname?: string;
  /** Where `replay` looks for files. */
  readonly replayDir?: string;
  /** Answers streams without a scenario with the recordings of the folder, round-robin. */
  readonly rotate?: boolean;
  /** For requests without one. */
  readonly scenario?: Scenario;
  /** How each API key is treated (key-behaviour.ts); other keys are refused. Without it every key is good. */
  readonly keys?: Readonly<Record<string, string>>;
  /** Number of requests kept; 0 for load tests. Default 10,000. */
  readonly requestsMax?: number;
  /** Called when a request is complete, before it is answered. */
  readonly onRequest?: (request: ReceivedRequest) => void;
}

export interface MockServer {
  readonly port: number;
  /** The base URL, e.g. http://127.0.0.1:4010/v1 */
  readonly url: string;
  /** The newest requests, oldest first; between `requestsMax` and twice as many. */
  readonly requests: readonly ReceivedRequest[];
  readonly openConnections: number;
  /** The scenario for all requests, or for those for which the function returns one. It wins over that of the request. */
  script(choose: Script): void;
  /** Sets how a key is treated from now on. @throws ScenarioError */
  setKey(key: string, behaviour: string): void;
  /** The first request, past or future, that matches. Without a timeout: the test runner has one. */
  waitForRequest(predicate?: (request: ReceivedRequest) => boolean): Promise<ReceivedRequest>;
  /** Forgets requests, script, keys and stored objects; connections stay. */
  reset(): void;
  /** Connection attempts are refused by the kernel; open connections stay. */
  refuseConnections(): void;
  /** Listens on the same port again. */
  acceptConnections(): void;
  /** Closes every connection and resolves when they are gone. */
  stop(): Promise<void>;
}

/** @throws ScenarioError for a bad `scenario`, and what listening throws (`code` EADDRINUSE, EACCES, …) */
export function startMock(options: MockOptions = {}): MockServer {
  return new Mock(options);
}

class Mock implements MockServer, ConnectionServer {
  readonly ticker = new Ticker();
  readonly port: number;
  readonly url: string;
  readonly #hostname: string;
  readonly #log: RequestLog;
  readonly #replays: ReplayFolder;
  readonly #objects = new ObjectStore();
  readonly #keys: KeyBehaviours;
  readonly #rotation: Rotation | undefined;
  readonly #fallback: Scenario;
  readonly #onRequest: ((request: ReceivedRequest) => void) | undefined;
  readonly #connections = new Set<MockConnection>();
  #listener: Bun.TCPSocketListener<MockConnection | undefined> | undefined;
  #script: Script | undefined;
  #connectionCount = 0;
  #whenEmpty: (() => void) | undefined;

  constructor(options: MockOptions) {
    this.#fallback = parseScenario(options.scenario ?? {});
    this.#hostname = options.hostname ?? '127.0.0.1';
    this.#log = new RequestLog(options.requestsMax ?? 10_000);
    this.#replays = new ReplayFolder(options.replayDir);
    this.#keys = new KeyBehaviours(options.keys);
    this.#rotation = options.rotate ? rotationOf(this.#replays) : undefined;
    this.#onRequest = options.onRequest;
    this.#listener = this.#listen(options.port ?? 0);
    this.port = this.#listener.port;
    this.url = `http://${this.#hostname.includes(':') ? `[${this.#hostname}]` : this.#hostname}:${this.port}/v1`;
  }

  get requests(): readonly ReceivedRequest[] {
    return this.#log.requests;
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  script(choose: Script): void {
    this.#script = typeof choose === 'function' ? choose : parseScenario(choose);
  }

  setKey(key: string, behaviour: string): void {
    this.#keys.set(key, behaviour);
  }

  waitForRequest(predicate: (request: ReceivedRequest) => boolean = () => true): Promise<ReceivedRequest> {
    return this.#log.wait(predicate);
  }

  reset(): void {
    this.#log.clear();
    this.#objects.clear();
    this.#keys.clear();
    this.#script = undefined;
  }

  refuseConnections(): void {
    this.#listener?.stop();
    this.#listener = undefined;
  }

  acceptConnections(): void {
    this.#listener ??= this.#listen(this.port);
  }

  async stop(): Promise<void> {
    this.refuseConnections();
    this.ticker.stop();
    if (this.#connections.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    for (const connection of [...this.#connections]) connection.stop();
    await empty;
  }

  record(request: RecordedRequest): void {
    this.#log.add(request);
    this.#onRequest?.(request);
  }

  choose(request: RecordedRequest) {
    const scenario = this.#keys.apply(request, performance.now(), () =>
      chooseScenario(request, this.#script, this.#rotation, this.#fallback),
    );
    return { scenario, answer: answerTo(request, scenario, this.#replays, this.#objects) };
  }

  #listen(port: number): Bun.TCPSocketListener<MockConnection | undefined> {
    return Bun.listen<MockConnection | undefined>({
      hostname: this.#hostname,
      port,
      // Otherwise Bun closes our half as soon as the peer closes its own.
      allowHalfOpen: true,
      socket: {
        open: (socket) => this.#opened(socket),
        data: (socket, bytes) => socket.data?.received(bytes),
        drain: (socket) => socket.data?.drained(),
        end: (socket) => socket.data?.peerEnded(),
        close: (socket) => this.#closed(socket),
      },
    });
  }

  #opened(socket: MockSocket): void {
    socket.setNoDelay(true);
    const connection = new MockConnection(socket, ++this.#connectionCount, this);
    socket.data = connection;
    this.#connections.add(connection);
  }

  #closed(socket: MockSocket): void {
    const connection = socket.data;
    if (!connection) return;
    this.#connections.delete(connection);
    connection.closed();
    if (this.#connections.size === 0) this.#whenEmpty?.();
  }
}
