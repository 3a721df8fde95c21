/** One accepted socket: reads requests, answers one at a time, and keeps, closes or resets the socket after each. */
import { type Answer, errorAnswer } from './answer.ts';
import { MockExchange } from './exchange.ts';
import { type ExchangeEnd, headerOf, RecordedRequest } from './received-request.ts';
import { BadRequest, RequestReader, type WholeRequest } from './request-reader.ts';
import type { Scenario } from './scenario.ts';
import { type Ending, stepsOf } from './steps.ts';
import type { Ticker } from './ticker.ts';

/** Limit of pipelined requests while an answer is being sent. */
const PIPELINED_BYTES_MAX = 1_048_576;

/**
 * RST discards what the peer's kernel has not received yet. On loopback that is nothing once our kernel has taken the bytes
 * and the peer's window was open. The pause lets the peer's process read them, because many drop unread bytes on an error. A
 * peer that needs longer may still miss the last bytes; no TCP sender can prevent that.
 */
const BEFORE_RESET_MS = 5;

export type MockSocket = Bun.Socket<MockConnection | undefined>;

export interface ConnectionServer {
  readonly ticker: Ticker;
  record(request: RecordedRequest): void;
  /** @throws ScenarioError and whatever a test's script throws */
  choose(request: RecordedRequest): { scenario: Scenario; answer: Answer };
}

export class MockConnection {
  readonly #reader = new RequestReader(() => this.socket.write('HTTP/1.1 100 Continue\r\n\r\n'));
  #exchange: MockExchange | undefined;
  #state: 'open' | 'reset_next' | 'closing' = 'open';

  constructor(
    readonly socket: MockSocket,
    readonly id: number,
    readonly server: ConnectionServer,
  ) {}

  received(bytes: Uint8Array): void {
    if (this.#state === 'reset_next') this.#reset();
    if (this.#state !== 'open') return;
    this.#reader.push(bytes);
    this.#advance();
    this.#reader.settle();
    if (this.#exchange && this.#reader.unreadBytes > PIPELINED_BYTES_MAX) this.#reset();
  }

  drained(): void {
    this.#exchange?.drained();
  }

  /** The peer sent FIN. Like most servers we treat that as a disconnect, even if only its half of the connection is closed. */
  peerEnded(): void {
    this.#over('client_closed');
    this.#state = 'closing';
    this.socket.end();
  }

  closed(): void {
    this.#over('client_closed');
    this.#state = 'closing';
  }

  /** FIN between answers, RST in the middle of one. */
  stop(): void {
    const broken = this.#exchange !== undefined;
    this.#over('fault');
    this.#state = 'closing';
    if (broken) this.socket.terminate();
    else this.socket.end();
  }

  /** Answers all requests that have arrived. A loop, because recursion over pipelined requests would overflow the stack. */
  #advance(): void {
    while (!this.#exchange && this.#state === 'open') {
      const whole = this.#next();
      if (!whole) return;
      this.#answer(whole);
    }
  }

  #next(): WholeRequest | undefined {
    try {
      return this.#reader.next();
    } catch (error) {
      if (!(error instanceof BadRequest)) throw error;
      const head = { method: 'BAD', path: '', version: '1.0', headers: [] };
      const request = new RecordedRequest(head, new Uint8Array(0), this.id);
      this.#send(request, {}, errorAnswer(error.status, error.message));
      return undefined;
    }
  }

  #answer(whole: WholeRequest): void {
    const request = new RecordedRequest(whole.head, whole.body, this.id);
    this.server.record(request);
    try {
      const { scenario, answer } = this.server.choose(request);
      this.#send(request, scenario, answer);
    } catch (error) {
      const [status, code] =
        (error as Error).name === 'ScenarioError' ? [400, 'invalid_scenario'] : [500, 'script_failed'];
      this.#send(request, {}, errorAnswer(status as number, String((error as Error).message), code as string));
    }
  }

  #send(request: RecordedRequest, scenario: Scenario, answer: Answer): void {
    const keepAlive = request.head.version === '1.1' && !/\bclose\b/i.test(headerOf(request.head, 'connection') ?? '');
    const steps = stepsOf({ answer, scenario, keepAlive, headOnly: request.method === 'HEAD' });
    const { ticker } = this.server;
    const exchange = new MockExchange({
      sink: this.socket,
      request,
      steps,
      ticker,
      writeBytesMax: scenario.wire_split,
      done: (ending) => this.#done(ending, exchange),
    });
    this.#exchange = exchange;
    exchange.start();
  }

  #done(ending: Ending, exchange: MockExchange): void {
    if (ending === 'silence') return;
    if (ending === 'reset') {
      if (exchange.request.bytesSent === 0) this.#reset();
      else this.server.ticker.add(performance.now() + BEFORE_RESET_MS, { due: () => this.#reset() });
      return;
    }
    this.#over(ending === 'end_early' ? 'fault' : 'finished');
    if (ending === 'reset_next') this.#state = 'reset_next';
    else if (ending === 'keep') this.#resume();
    else this.#finish();
  }

  /** Reads on after an answer that ended outside `received`: pipelined requests may be waiting. */
  #resume(): void {
    if (this.#reader.unreadBytes === 0) return;
    queueMicrotask(() => {
      this.#advance();
      this.#reader.settle();
    });
  }

  /** Sends FIN and closes the socket when the peer has closed, too: closing with unread bytes would send RST. */
  #finish(): void {
    this.#state = 'closing';
    this.socket.shutdown();
  }

  #reset(): void {
    if (this.#state === 'closing') return;
    this.#over('fault');
    this.#state = 'closing';
    this.socket.terminate();
  }

  #over(end: ExchangeEnd): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.abandon();
    exchange?.request.settle(end);
  }
}
