/**
 * Seeded fuzz of the socket call with its connections, its pool and its decoder: random sequences of what clients, upstream
 * and the event loop can do, each held to the model. FUZZ_SEED and FUZZ_CASES (steps) repeat or extend a run; a failure
 * prints what repeats it.
 */
import { afterAll, beforeAll, expect, test } from 'bun:test';
import type { UpstreamRequest } from '../../src/upstream/client.ts';
import { requestBytes } from '../../src/upstream/request-bytes.ts';
import { SocketCall } from '../../src/upstream/socket-call.ts';
import { StreamedBody } from '../../src/upstream/streamed-body.ts';
import { pick, randomFrom } from '../support/random.ts';
import { CallModel, type Link, randomAnswer, World } from './upstream-world.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_607);
const STEPS = Number(process.env.FUZZ_CASES ?? 60_000);
const STEPS_PER_WORLD_MAX = 120;
/** A decoder may work on a thread of its own. */
const TURNS_TO_SETTLE_MAX = 1_000;

// Whether a connection broke within a second must not depend on how busy the machine is.
const realNow = performance.now;
beforeAll(() => {
  const now = realNow.call(performance);
  performance.now = () => now;
});
afterAll(() => {
  performance.now = realNow;
});

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

class Run {
  readonly world: World;
  readonly steps: string[] = [];
  #isClosed = false;
  readonly #calls: { model: CallModel; call: SocketCall }[] = [];

  constructor(seed: number) {
    this.world = new World(randomFrom(seed));
  }

  async play(count: number): Promise<void> {
    for (let i = 0; i < count && this.world.complaints.length === 0; i++) await this.#step();
    await this.#settle();
  }

  async #step(): Promise<void> {
    const { random, links } = this.world;
    const open = links.filter(({ phase }) => phase === 'open');
    const link = open.length > 0 ? pick(random, open) : undefined;
    const one = this.#calls.length > 0 ? pick(random, this.#calls.slice(-8)) : undefined;
    switch (random(14)) {
      case 0:
      case 1:
        return this.#open();
      case 2:
      case 3:
        return this.#dial(random(10) === 0);
      case 4:
        if (link) this.#do('drain', () => link.drain());
        return;
      case 5:
      case 6:
        if (link) this.#answer(link);
        return;
      case 7:
      case 8:
      case 9:
        if (link) this.#deliver(link);
        return;
      case 10:
        if (link) this.#peerEnds(link);
        return;
      case 11:
        if (one) this.#control(one);
        return;
      case 12:
        if (random(60) === 0) this.#do('close', () => this.#close());
        if (one && random(4) === 0) this.#do('abort', () => this.#abort(one));
        return;
      default:
        this.steps.push('turn');
        return this.#turn();
    }
  }

  async #turn(): Promise<void> {
    await nextTurn();
    this.world.turn++;
  }

  #do(what: string, act: () => void): void {
    this.steps.push(what);
    act();
  }

  #open(): void {
    const { world } = this;
    const { random } = world;
    const id = world.calls.length;
    const isStreamed = random(5) === 0;
    const method = isStreamed ? 'POST' : pick(random, ['POST', 'POST', 'POST', 'GET']);
    const hasKey = random(3) === 0;
    const body = method === 'GET' ? null : Buffer.alloc(random(pick(random, [50, 50, 50, 50_000])), 0x61 + (id % 26));
    const request: UpstreamRequest = {
      method,
      target: `/${id}`,
      headers: hasKey ? [['idempotency-key', String(id)]] : [],
      body: isStreamed ? piecesOf(body!) : body,
      bodyBytes: isStreamed ? body!.length : undefined,
    };
    const bytes = requestBytes(request, '', 'x');
    const wire = Buffer.concat([bytes.first, bytes.rest ?? (isStreamed ? body! : [])].map((part) => Buffer.from(part)));
    const model = new CallModel(world, id, request, wire, method === 'GET' || hasKey, isStreamed);
    world.calls.push(model);
    const call = new SocketCall(world.pool, request, model);
    const one = { model, call };
    if (random(8) === 0) model.onTold = () => random(3) === 0 && this.#abort(one);
    this.#calls.push(one);
    this.#do(`${method} ${id}`, () => {
      const streamed = StreamedBody.of(request);
      if (streamed) {
        call.upload(streamed);
        streamed.open();
      }
      call.start(bytes);
      model.sent();
    });
  }

  #dial(fails: boolean): void {
    const pending = this.world.links.find(({ phase }) => phase === 'connecting');
    if (pending) this.#do(fails ? 'refuse' : 'connect', () => (fails ? pending.refuse() : pending.connect()));
  }

  /** Now and then before the request is whole. */
  #answer(link: Link): void {
    const { random } = this.world;
    const { call } = link;
    if (!call || call.answer || link.end !== 'none' || (!link.hasWholeRequest && random(10) > 0)) return;
    const answer = randomAnswer(random);
    const isCut = random(8) === 0;
    this.#do(`answer ${call.id}`, () => {
      link.respond(answer, isCut ? random(answer.wire.length) : answer.wire.length);
      if (isCut || answer.ends === 'by closing') link.end = isCut && random(2) === 0 ? 'rst' : 'fin';
    });
  }

  #deliver(link: Link): void {
    const { random } = this.world;
    if (link.unread.length > 0 && link.mayRead) {
      const bytes = random(3) === 0 ? 1 + random(link.unread.length) : link.unread.length;
      this.#do(`deliver ${bytes}`, () => link.deliver(bytes));
    } else if (link.unread.length === 0 && link.end !== 'none' && link.call?.answer) {
      this.#do(link.end, () => link.deliverEnd());
    }
  }

  /** Of its own accord, answered or not; the client may not learn of it before its next request. */
  #peerEnds(link: Link): void {
    const { random } = this.world;
    if (link.end === 'none' && random(3) === 0) {
      this.#do('peer ends', () => {
        link.end = pick(random, ['fin', 'rst']);
        if (link.end === 'rst') link.unread = Buffer.alloc(0);
      });
    } else if (link.end !== 'none' && link.unread.length === 0) {
      this.#do(link.end, () => link.deliverEnd());
    } else if (link.isIdle && random(6) === 0) {
      this.#do('surplus', () => {
        link.unread = Buffer.from('surplus');
        link.deliver(7);
        if (link.phase === 'open') this.world.complain('a connection lives on behind unasked bytes');
      });
    }
  }

  #control({ model, call }: { model: CallModel; call: SocketCall }): void {
    if (model.isPaused) {
      model.resumed();
      this.#do('resume', () => call.resume());
    } else {
      model.paused();
      this.#do('pause', () => call.pause());
    }
  }

  #abort({ model, call }: { model: CallModel; call: SocketCall }): void {
    const wasOver = model.outcome !== undefined;
    model.isAborted = true;
    call.abort();
    if (!wasOver && model.outcome === undefined) this.world.complain('an abort that does not end its call');
  }

  #close(): void {
    this.#isClosed = true;
    this.world.pool.close();
  }

  /** Everything that is under way comes to its end, and each call with it. */
  async #settle(): Promise<void> {
    const { world } = this;
    for (let turn = 0; turn < TURNS_TO_SETTLE_MAX && world.complaints.length === 0; turn++) {
      for (const { model, call } of this.#calls) {
        if (!model.isPaused) continue;
        model.resumed();
        call.resume();
      }
      for (const link of world.links) this.#finish(link);
      if (this.#calls.every(({ model }) => model.outcome !== undefined)) break;
      await this.#turn();
    }
    if (world.complaints.length > 0) return;
    const stuck = this.#calls.filter(({ model }) => model.outcome === undefined);
    for (const { model } of stuck) world.complain(`call ${model.id} never ends`);
    if (world.pool.idleCount > 3) world.complain(`${world.pool.idleCount} idle connections are kept`);
    if (!this.#isClosed) this.#close();
    const left = world.links.filter(({ phase }) => phase !== 'closed');
    if (left.length > 0) world.complain(`${left.length} connections are left open`);
  }

  #finish(link: Link): void {
    if (link.phase === 'connecting') link.connect();
    if (link.phase === 'open') link.drain();
    if (link.phase !== 'open') return;
    if (link.hasWholeRequest && !link.call!.answer && link.end === 'none') {
      const answer = randomAnswer(this.world.random);
      link.respond(answer, answer.wire.length);
      if (answer.ends === 'by closing') link.end = 'fin';
    }
    // Nobody has paused it, or its decoder goes on soon.
    if (link.unread.length > 0 && link.mayRead) link.deliver(link.unread.length);
    if (link.phase === 'open' && link.unread.length === 0 && link.end !== 'none') link.deliverEnd();
  }
}

function piecesOf(body: Buffer): ReadableStream<Uint8Array> {
  const pieces = [body.subarray(0, body.length >> 1), body.subarray(body.length >> 1)].filter(
    ({ length }) => length > 0,
  );
  return new ReadableStream({
    pull(controller) {
      const piece = pieces.shift();
      if (piece) controller.enqueue(piece);
      else controller.close();
    },
  });
}

test(
  `${STEPS} random steps: each call is told what upstream said, in order and once, and is begun no more often than it may be`,
  async () => {
    for (let steps = 0, world = 0; steps < STEPS; world++) {
      const seed = SEED + world;
      const run = new Run(seed);
      const count = 1 + randomFrom(seed)(STEPS_PER_WORLD_MAX);
      try {
        await run.play(count);
      } catch (error) {
        run.world.complain(`threw ${String((error as Error).stack)}`);
      }
      steps += run.steps.length;
      const { complaints } = run.world;
      if (complaints.length > 0)
        throw new Error(`${complaints.join('\n')}\n${run.steps.join(', ')}\nrepeat: FUZZ_SEED=${seed} FUZZ_CASES=1`);
    }
    expect(STEPS).toBeGreaterThan(0);
  },
  Math.max(60_000, STEPS),
);
