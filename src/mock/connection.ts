/** One accepted socket: requests in, one exchange at a time, and what becomes of the socket after each. */
import { type Answer, errorAnswer } from './answer.ts';
import { MockExchange } from './exchange.ts';
import { type ExchangeEnd, headerOf, RecordedRequest } from './received-request.ts';
import { BadRequest, RequestReader, type WholeRequest } from './request-reader.ts';
import type { Scenario } from './scenario.ts';
import { type Ending, stepsOf } from './steps.ts';
import type { Ticker } from './ticker.ts';

/** Requests sent ahead while an answer is under way. */
const PIPELINED_BYTES_MAX = 1_048_576;

/**
 * RST discards what the peer's kernel has not got yet. On loopback that is nothing once the kernel took our bytes and the
 * peer's window was open; the pause lets the peer's process read, too, since many drop unread bytes when they see an error.
 * A peer that does not read at all, or needs longer, may miss the last bytes: no TCP sender can do better.
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

  /** The peer sent FIN. Like most servers we take that for leaving, even where only its half of the connection is closed. */
  peerEnded(): void {
    this.#over('client_closed');
    this.#state = 'closing';
    this.socket.end();
  }

  closed(): void {
    this.#over('client_closed');
    this.#state = 'closing';
  }

  /** FIN for who waits, RST for who is in the middle of an answer. */
  stop(): void {
    const broken = this.#exchange !== undefined;
    this.#over('fault');
    this.#state = 'closing';
    if (broken) this.socket.terminate();
    else this.socket.end();
  }

  /** Answers as many requests as are there; a loop, because a thousand pipelined ones would overflow the stack. */
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

  /** An answer that ended outside of `received` may have pipelined requests behind it. */
  #resume(): void {
    if (this.#reader.unreadBytes === 0) return;
    queueMicrotask(() => {
      this.#advance();
      this.#reader.settle();
    });
  }

  /** FIN, and only then, when the peer has closed too, the end of the socket: closing with unread bytes would be a RST. */
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
