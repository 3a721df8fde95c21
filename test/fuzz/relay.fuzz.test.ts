/**
 * Seeded fuzz of the relay: random sequences of what upstream, the client, the clock and a shutdown can do, each step held to
 * the model. FUZZ_SEED and FUZZ_CASES (steps) repeat or extend a run; a failure prints what repeats it.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import { CHAT } from '../../src/formats/chat.ts';
import type { Acceptance, RelayOptions } from '../../src/gateway/answer.ts';
import { KeyMask } from '../../src/gateway/key-mask.ts';
import { LeaveDrains } from '../../src/gateway/leave-drains.ts';
import { Meter } from '../../src/gateway/meter.ts';
import { RefusedAnswer } from '../../src/gateway/refused-answer.ts';
import { type Relay, relay } from '../../src/gateway/relay.ts';
import { NOT_WATCHED } from '../../src/http/deadlines.ts';
import { type BodySink, UpstreamError, type UpstreamSink } from '../../src/upstream/client.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';
import { Controller, HoldingFilter, Watching } from './relay-fakes.ts';
import * as model from './relay-model.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_603);
const STEPS = Number(process.env.FUZZ_CASES ?? 60_000);
const STEPS_PER_ANSWER_MAX = 40;

/** One answer, and everything around it that can act on it. */
class Answer {
  readonly model: model.Model;
  nowMs = 1_000_000;
  readonly controller = new Controller(() => {
    // The last bytes of a body wait where nobody asks for them.
    if (this.told.length === 0) this.model.full();
  });
  readonly drains: LeaveDrains;
  readonly steps: string[] = [];
  relay: Relay | undefined;
  readonly told: string[] = [];
  #sink!: UpstreamSink;
  #body: BodySink | undefined;
  #isUpstreamOver = false;
  #isPaused = false;
  /** There is a body to ask for. */
  #hasBody = false;
  #acceptance: 'accepted' | 'refused' | 'thrown' = 'accepted';
  readonly #signal = new AbortController();
  #pieces: model.Piece[] = [];

  constructor(
    readonly random: Random,
    readonly setting: model.Setting,
  ) {
    this.model = new model.Model(setting, this.nowMs);
    this.drains = new LeaveDrains(setting.drainRoom ? 1 : 0);
    const options: RelayOptions = {
      client: {
        send: (_request, sink) => {
          this.#sink = sink;
          return {
            pause: () => {
              this.#isPaused = true;
            },
            resume: () => {
              if (this.#isUpstreamOver) this.told.push('resumed what is over');
              this.#isPaused = false;
            },
            abort: () => this.#fail('aborted'),
          };
        },
        close: () => {},
      },
      limits: { ...model.LIMITS, streamBreak: setting.streamBreak, streamHeartbeatMs: 0 },
      deadlines: new Watching(),
      leaveDrains: this.drains,
      clock: { now: () => this.nowMs },
    };
    const owner = {
      drainsOnLeave: setting.drains,
      accept: () => this.#accept(),
      onSent: () => {},
      onFirstByte: () => {},
      onLastByte: () => {},
      onCancelled: () => this.told.push('cancelled'),
      onSettled: (finish: string) => this.told.push(finish),
    };
    const request = { method: 'POST', target: '/', headers: [], body: null };
    relay(request, this.#signal.signal, owner, options).then(
      (answer) => {
        this.relay = answer;
      },
      () => this.told.push('refused'),
    );
    if (setting.kind === 'sse') {
      const all = [model.CONTENT, model.FINISH, model.USAGE, model.DONE, model.ERROR, model.COMMENT, model.OTHER_CR];
      while (random(8) > 0) {
        const piece = random(4) === 0 ? pick(random, all) : model.CONTENT;
        this.#pieces.push(...(random(6) === 0 ? [model.HALF, model.REST] : [random(200) === 0 ? model.LARGE : piece]));
      }
      if (random(2) === 0) this.#pieces.push(model.FINISH, model.USAGE, model.DONE);
    } else {
      this.#pieces = [model.JSON_START, model.JSON_REST];
    }
  }

  get isOver(): boolean {
    return this.model.phase === 'over' && this.controller.pending.length === 0;
  }

  /** Something that can happen now, or undefined when it cannot. */
  step(): string | undefined {
    const { random } = this;
    const isHead = this.#body === undefined;
    switch (random(14)) {
      case 0:
      case 1:
        return isHead && !this.#isUpstreamOver ? this.#head() : undefined;
      case 2:
      case 3:
      case 4:
      case 5:
        return this.#data();
      case 6:
        return isHead || this.#isUpstreamOver || this.#pieces.length > 0 ? undefined : this.#end();
      case 7:
        if (this.#isUpstreamOver || random(4) > 0) return undefined;
        return this.#upstreamFails(
          pick(random, ['reset', 'protocol', ...(random(4) === 0 ? (['aborted'] as const) : [])]),
        );
      case 8:
        return this.#take();
      case 9:
        return this.#ask();
      case 10:
        // With a filter the model cannot tell beforehand what is written.
        this.controller.isFull = !this.setting.filtered && random(3) === 0;
        return this.controller.isFull ? 'the kernel is full' : 'the kernel has room';
      case 11:
        return this.#written();
      case 12:
        return this.#tick(pick(random, [1, 50, 200, 305, 320, 700, 2100]));
      default:
        if (random(5) > 0) return undefined;
        return random(3) === 0 ? this.#cut() : this.#leave();
    }
  }

  /** Nothing moves any more but the clock: everything must come to an end. */
  *remainder(): Generator<string> {
    for (let ticks = 0; ticks < 4; ticks++) {
      yield this.#take() ?? '';
      yield this.#tick(4000) ?? '';
    }
    // Bun resolves what is pending when the connection is gone.
    while (this.controller.pending.length > 0) yield this.#written() ?? '';
  }

  /** @throws what is not as the model says */
  check(): void {
    const { model: expected, controller } = this;
    same('told', this.told.filter((word) => word !== 'cancelled').join(), expected.outcome ?? '');
    same('watched', this.current().watchIndex !== NOT_WATCHED, expected.phase !== 'over');
    same('cancelled', this.told.includes('cancelled'), expected.cancelled);
    same('upstream over', this.#isUpstreamOver, expected.upstreamOver);
    if (expected.phase === 'open' || expected.phase === 'draining') same('paused', this.#isPaused, expected.paused);
    same('a drain is counted', this.drains.begin(), this.setting.drainRoom && !expected.countedDrain);
    if (this.setting.drainRoom && !expected.countedDrain) this.drains.end();
    if (expected.asked) this.#checkBody();
    else same('written', controller.text, '');
  }

  #checkBody(): void {
    const { model: expected, controller } = this;
    const { closing } = expected;
    const tail = closing === 'error event' ? (expected.endsWithCr ? '\n' : '') + BREAK_EVENT : '';
    same('written', controller.text, expected.sent + tail);
    const isReset = closing === 'reset';
    if (closing === 'no') same('closed', controller.closed, 'no');
    else if (closing !== 'left') same('closed', controller.closed, isReset ? 'reset' : 'in order');
  }

  #accept(): Acceptance {
    if (this.#acceptance === 'thrown') throw new UpstreamError('protocol', 'not acceptable');
    const { kind, hasBody, endsByTerminalEvent } = this.setting;
    return {
      status: 200,
      headers: new Headers(),
      hasBody,
      meter: new Meter(CHAT, kind),
      filter: this.setting.filtered ? new HoldingFilter() : null,
      endsByTerminalEvent,
      refused: this.#acceptance === 'refused' ? new RefusedAnswer(500, true, MASK) : null,
    };
  }

  #head(): string {
    this.#acceptance = pick(this.random, ['accepted', 'accepted', 'accepted', 'accepted', 'refused', 'thrown']);
    this.model.head(this.#acceptance);
    this.#body = this.#sink.head(200, { get: () => null, keys: () => [] });
    return `head, ${this.#acceptance}`;
  }

  #data(): string | undefined {
    if (this.#body === undefined || this.#isUpstreamOver || !this.setting.hasBody) return undefined;
    // After a pause one more may come.
    if (this.#isPaused && this.random(4) > 0) return undefined;
    const piece = this.#pieces.shift();
    if (piece === undefined) return undefined;
    this.model.data(piece);
    const bytes = Buffer.from(piece.text);
    this.#body.data(bytes);
    // They were lent for the call.
    bytes.fill(0x78);
    return `data: ${piece.name}`;
  }

  #end(): string {
    this.#isUpstreamOver = true;
    this.model.end();
    this.#body!.end();
    return 'end';
  }

  #upstreamFails(kind: UpstreamError['kind']): string {
    this.model.fail(kind === 'aborted');
    this.#fail(kind);
    return `fail: ${kind}`;
  }

  #fail(kind: UpstreamError['kind']): void {
    if (this.#isUpstreamOver) return;
    this.#isUpstreamOver = true;
    (this.#body ?? this.#sink).fail(new UpstreamError(kind, 'failed'));
  }

  #take(): string | undefined {
    if (this.relay === undefined || this.model.taken) return undefined;
    this.model.taken = true;
    try {
      const response = this.relay.response();
      if (this.model.refused) throw new Error('an answer that was to be refused');
      this.#hasBody = response.body !== null;
    } catch (error) {
      if (!this.model.refused && !this.model.left) throw error;
      if (this.model.refused) this.told.push('refused');
    }
    return 'the answer is taken';
  }

  #ask(): string | undefined {
    const { model: expected } = this;
    if (!this.#hasBody || expected.asked) return undefined;
    // Before, because what waits is written at once; the model is told of a full kernel by the writes.
    expected.asked = true;
    this.relay!.pull(this.controller as unknown as ReadableStreamDirectController);
    expected.ask();
    return 'the body is asked for';
  }

  #written(): string | undefined {
    const { pending } = this.controller;
    if (pending.length === 0) return undefined;
    const counted = this.model.pending > 0;
    pending.shift()!.resolve(1);
    if (counted) this.model.written();
    return 'a write went through';
  }

  #tick(ms: number): string | undefined {
    this.nowMs += ms;
    this.model.nowMs = this.nowMs;
    for (const timer of timers.splice(0)) timer();
    if (this.model.phase === 'over') return `${ms} ms`;
    this.model.tick();
    this.current().check(this.nowMs);
    return `${ms} ms, a tick`;
  }

  #cut(): string | undefined {
    if (this.model.phase === 'over') return undefined;
    this.model.cut();
    this.current().cut(new Error('shutting down'));
    return 'cut';
  }

  #leave(): string {
    this.model.leave();
    const first = this.random(2) === 0;
    if (first) this.#signal.abort();
    if (this.model.asked) this.current().cancel();
    if (!first) this.#signal.abort();
    return 'the client leaves';
  }

  /** The relay is the sink of its own call. */
  current(): Relay {
    return this.#sink as unknown as Relay;
  }
}

const MASK = new KeyMask('fx-0123456789abcdefghij');
const BREAK_EVENT = Buffer.from(CHAT.breakEvent(0)).toString();
const timers: (() => void)[] = [];
const rejections: unknown[] = [];
const realSetTimeout = globalThis.setTimeout;

beforeAll(() => {
  process.on('unhandledRejection', (error) => rejections.push(error));
  globalThis.setTimeout = ((run: () => void) => timers.push(run)) as unknown as typeof setTimeout;
});

afterAll(() => {
  globalThis.setTimeout = realSetTimeout;
});

function same(what: string, found: unknown, expected: unknown): void {
  if (found !== expected)
    throw new Error(`${what}: ${JSON.stringify(found)?.slice(-300)}, not ${JSON.stringify(expected)?.slice(-300)}`);
}

async function settle(answer: Answer): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await undefined;
  if (timers.length > 0) for (const timer of timers.splice(0)) timer();
  answer.check();
}

test(`the relay does as its model, FUZZ_SEED=${SEED} FUZZ_CASES=${STEPS}`, async () => {
  let steps = 0;
  for (let index = 0; steps < STEPS; index++) {
    const seed = (SEED + index) >>> 0;
    const random = randomFrom(seed);
    const kind = pick(random, ['sse', 'sse', 'sse', 'json', 'none'] as const);
    const answer = new Answer(random, {
      kind,
      hasBody: random(10) > 0,
      endsByTerminalEvent: kind === 'sse' && random(4) === 0,
      drains: random(3) === 0,
      drainRoom: random(4) > 0,
      streamBreak: random(5) === 0 ? 'reset' : 'event',
      filtered: kind === 'sse' && random(4) === 0,
    });
    try {
      for (let tries = 0; tries < 4 * STEPS_PER_ANSWER_MAX && !answer.isOver; tries++) {
        const step = answer.step();
        if (step === undefined) continue;
        steps++;
        answer.steps.push(step);
        await settle(answer);
      }
      for (const step of answer.remainder()) {
        answer.steps.push(step);
        await settle(answer);
      }
      same('over', answer.model.phase, 'over');
    } catch (error) {
      const setting = JSON.stringify(answer.setting);
      throw new Error(
        `FUZZ_SEED=${seed} FUZZ_CASES=1 repeats it: ${(error as Error).message}\n${setting}\n${answer.steps.join('\n')}`,
        { cause: error },
      );
    }
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect(rejections).toEqual([]);
}, 3_600_000);
