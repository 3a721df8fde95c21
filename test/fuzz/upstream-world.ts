/**
 * An upstream without a network for the fuzz of the socket call: links in place of sockets, on which a random peer takes what
 * it likes, answers, breaks off, and closes. It knows what each call must be told, and checks what is written on each link.
 */
import { gzipSync } from 'node:zlib';
import type { Socket } from 'bun';
import type { BodySink, UpstreamError, UpstreamRequest, UpstreamSink } from '../../src/upstream/client.ts';
import { ConnectAttempts } from '../../src/upstream/connect-attempts.ts';
import { ConnectError } from '../../src/upstream/connect-error.ts';
import type { DialResult } from '../../src/upstream/dial.ts';
import { Pool } from '../../src/upstream/pool.ts';
import type { SocketOwner } from '../../src/upstream/socket-owner.ts';
import { pick, type Random } from '../support/random.ts';
import { rightResponse } from './http1-cases.ts';

/** What a peer answers, and what a client must make of it. */
interface Answer {
  readonly wire: Buffer;
  readonly status: number;
  readonly body: string;
  /** Bytes behind which the head is known. */
  readonly headBytes: number;
  readonly ends: 'by itself' | 'by closing';
  readonly reusable: boolean;
  readonly encoded: boolean;
  readonly isValid: boolean;
}

const TEXTS = ['', 'x', 'data: {"a":1}\n\n'.repeat(40), 'word '.repeat(2_000)];
const GZIPPED = TEXTS.map((text) => gzipSync(text));

export class World {
  turn = 0;
  refusals = 0;
  readonly links: Link[] = [];
  readonly calls: CallModel[] = [];
  readonly complaints: string[] = [];
  readonly attempts = new ConnectAttempts();
  readonly pool: Pool;

  constructor(readonly random: Random) {
    this.pool = new Pool(
      (_resources, result) => {
        const link = new Link(this, result);
        this.links.push(link);
        return link;
      },
      { idleMax: 3, idleLimitMs: 30_000, ageMaxMs: 600_000 },
      this.attempts,
    );
  }

  complain(text: string): void {
    this.complaints.push(text);
  }

  callOf(bytes: Buffer): CallModel | undefined {
    const id = /^[A-Z]+ \/(\d+) /.exec(bytes.toString('latin1', 0, 20))?.[1];
    return id === undefined ? undefined : this.calls[Number(id)];
  }
}

/** A connection as upstream sees it, a dial and a socket as the client does. */
export class Link {
  phase: 'new' | 'connecting' | 'open' | 'closed' = 'new';
  isPaused = false;
  /** The peer has written what nobody asked for. */
  isSpoilt = false;
  /** So many bytes of the client fit into the kernel. */
  room = 0;
  /** RST or FIN of the peer. */
  end: 'none' | 'fin' | 'rst' = 'none';
  /** What the peer has written and the client has not read. */
  unread: Buffer = Buffer.alloc(0);
  /** The last that was begun on it. */
  call: CallModel | undefined;
  #wire = Buffer.alloc(0);
  #readsSincePause = 0;
  #lastEndedAtTurn = -1;
  #exchanges = 0;
  owner: SocketOwner | undefined;

  constructor(
    private readonly world: World,
    private readonly result: DialResult,
  ) {}

  /** As a dial. */
  start(): void {
    this.phase = 'connecting';
  }

  cancel(): void {
    this.phase = 'closed';
  }

  connect(): void {
    this.phase = 'open';
    this.room = this.world.random(3) === 0 ? this.world.random(60) : 1_000_000;
    this.result.connected(this as unknown as Socket<SocketOwner>, null);
  }

  refuse(): void {
    this.phase = 'closed';
    this.world.refusals++;
    this.result.failed(new ConnectError('ECONNREFUSED', 'refused'));
  }

  /** As a socket. */
  set data(owner: SocketOwner) {
    this.owner = owner;
  }

  write(bytes: Uint8Array): number {
    if (this.phase !== 'open') this.world.complain('a write on a link that is closed');
    if (this.end === 'rst') {
      const call = this.world.callOf(Buffer.from(bytes));
      if (call) {
        call.refusedWrites++;
        call.wasRefusedOnPooled ||= this.call !== undefined;
      }
      return -1;
    }
    // Of a request at least as much as tells which it is.
    const taken = Math.min(this.room > 0 ? Math.max(this.room, 16) : 0, bytes.length);
    this.room = Math.max(0, this.room - taken);
    if (taken > 0) this.#take(Buffer.from(bytes.subarray(0, taken)));
    return taken;
  }

  pause(): void {
    this.isPaused = true;
    this.#readsSincePause = 0;
  }

  /** A read that was under way comes even so. */
  get mayRead(): boolean {
    return !this.isPaused || this.#readsSincePause === 0;
  }

  resume(): void {
    this.isPaused = false;
  }

  terminate(): void {
    this.phase = 'closed';
  }

  get hasWholeRequest(): boolean {
    return this.call !== undefined && this.#wire.length === this.call.wire.length;
  }

  /** The client waits for nothing more on it. */
  get isIdle(): boolean {
    return this.call?.isAnswered === true && this.unread.length === 0;
  }

  /** The kernel takes more. */
  drain(): void {
    this.room += 1 + this.world.random(200_000);
    this.owner!.drained();
  }

  /** @param cutAt how much of it the peer writes */
  respond(answer: Answer, cutAt: number): void {
    this.call!.answer = answer;
    const surplus = cutAt === answer.wire.length && answer.ends === 'by itself' && this.world.random(12) === 0;
    this.unread = Buffer.concat([answer.wire.subarray(0, cutAt), Buffer.from(surplus ? 'surplus' : '')]);
    if (surplus) this.isSpoilt = true;
  }

  deliver(bytes: number): void {
    const read = Buffer.from(this.unread.subarray(0, bytes));
    this.unread = this.unread.subarray(bytes);
    this.#readsSincePause++;
    if (!this.call!.isAnswered) {
      this.call!.got += read.length;
      if (this.call!.isAnswered) this.#lastEndedAtTurn = this.world.turn;
    }
    this.owner!.received(read);
    // What is behind an answer comes before anybody can ask for another.
    if (this.phase === 'open' && this.call!.isAnswered && this.unread.length > 0) this.deliver(this.unread.length);
  }

  /** The client learns of the peer's end. */
  deliverEnd(): void {
    const owner = this.owner!;
    if (this.call) this.call.peerEnd = this.call.isAnswered ? this.call.peerEnd : this.end;
    if (this.end === 'fin') {
      owner.ended();
      if (this.phase === 'open') this.world.complain('a connection lives on behind a FIN');
    } else {
      this.phase = 'closed';
      owner.lost(new Error('ECONNRESET'));
    }
  }

  #take(bytes: Buffer): void {
    const begins = this.call === undefined || this.#wire.length === this.call.wire.length;
    if (begins && this.world.callOf(bytes) !== undefined) this.#begin(this.world.callOf(bytes)!);
    this.#wire = Buffer.concat([this.#wire, bytes]);
    const { call } = this;
    if (!call?.wire.subarray(0, this.#wire.length).equals(this.#wire))
      this.world.complain(`bytes of no request: ${JSON.stringify(this.#wire.toString('latin1').slice(0, 100))}`);
  }

  #begin(call: CallModel): void {
    if (this.call !== undefined) {
      if (!this.isIdle || this.isSpoilt || !this.call.answer!.reusable)
        this.world.complain('a link is used again that may not be');
      if (this.#lastEndedAtTurn === this.world.turn) this.world.complain('a link is used again in the same turn');
      if (call.isStreamed) this.world.complain('a streamed request on a link that was used before');
    }
    this.call = call;
    call.answer = undefined;
    call.got = 0;
    call.peerEnd = 'none';
    this.#wire = Buffer.alloc(0);
    this.#exchanges++;
    call.begun.push(this);
    const most = call.isIdempotent && !call.isStreamed ? 2 : 1;
    if (call.begun.length > most) this.world.complain(`call ${call.id} was begun ${call.begun.length} times`);
    if (call.begun.length === 2 && this.#exchanges > 1) this.world.complain('the second attempt on a pooled link');
  }
}

/** What is known of one call: what must arrive upstream, and what its sink may be told. */
export class CallModel implements UpstreamSink {
  readonly begun: Link[] = [];
  /** On the link of the last attempt. */
  answer: Answer | undefined;
  /** Of its bytes, so many were read. */
  got = 0;
  /** On links that the peer had reset before. */
  refusedWrites = 0;
  wasRefusedOnPooled = false;
  /** What the client has learned of before the answer was whole. */
  peerEnd: 'none' | 'fin' | 'rst' = 'none';
  status = 0;
  body = '';
  outcome: 'end' | UpstreamError | undefined;
  isAborted = false;
  #dataSincePause: number | undefined;
  #isSent = false;
  #headReturned = false;

  constructor(
    private readonly world: World,
    readonly id: number,
    readonly request: UpstreamRequest,
    readonly wire: Buffer,
    readonly isIdempotent: boolean,
    readonly isStreamed: boolean,
  ) {}

  /** What the sink does while it is told of something. */
  onTold: () => void = () => {};

  get isAnswered(): boolean {
    return this.answer !== undefined && this.got >= this.answer.wire.length;
  }

  /** `send` has returned. */
  sent(): void {
    this.#isSent = true;
  }

  paused(): void {
    this.#dataSincePause ??= 0;
  }

  resumed(): void {
    this.#dataSincePause = undefined;
  }

  get isPaused(): boolean {
    return this.#dataSincePause !== undefined;
  }

  head(status: number): BodySink {
    this.#expectOpen('head');
    if (this.status !== 0) this.world.complain('a second head');
    this.status = status;
    this.onTold();
    this.#headReturned = true;
    return {
      data: (bytes) => this.#data(bytes),
      end: () => this.#over('end'),
      fail: (error) => this.#over(error),
    };
  }

  fail(error: UpstreamError): void {
    if (this.#headReturned) this.world.complain('a failure of the body told to the sink');
    this.#over(error);
  }

  #data(bytes: Uint8Array): void {
    this.#expectOpen('data');
    if (bytes.length === 0) this.world.complain('data without a byte');
    if (this.#dataSincePause !== undefined && ++this.#dataSincePause > 1)
      this.world.complain('more than one data after pause');
    this.body += Buffer.from(bytes).toString('latin1');
    this.onTold();
  }

  #over(outcome: 'end' | UpstreamError): void {
    this.#expectOpen(outcome === 'end' ? 'end' : 'fail');
    this.outcome = outcome;
    const why = outcome === 'end' ? this.#wrongEnd() : this.#wrongFailure(outcome);
    if (why !== null) this.world.complain(`call ${this.id}: ${why}`);
  }

  #wrongEnd(): string | null {
    const { answer } = this;
    if (!answer?.isValid) return 'an end without a valid answer';
    if (this.status !== answer.status) return `status ${this.status} in place of ${answer.status}`;
    if (this.isAnswered) return this.body === answer.body ? null : 'another body';
    const bodyBytes = this.got - answer.headBytes;
    // Nothing is nothing in every coding.
    const mayEnd = answer.ends === 'by closing' && this.peerEnd === 'fin' && (!answer.encoded || bodyBytes === 0);
    if (!mayEnd || bodyBytes < 0) return 'an end before the end';
    return this.body === answer.body.slice(0, bodyBytes) ? null : 'another part of the body';
  }

  #wrongFailure({ kind, safeToResend }: UpstreamError): string | null {
    const { answer, peerEnd } = this;
    if (kind === 'reset' && this.begun.length === 0 && this.refusedWrites === 1 && this.wasRefusedOnPooled)
      return 'a request of which nothing was written is not sent again';
    if (safeToResend && this.begun.length > 0) return 'a request that was written may be sent again';
    if (this.status !== 0 && !answer!.body.startsWith(this.body)) return 'another body before the failure';
    const isTruncated = peerEnd === 'fin' && answer?.encoded === true && answer.ends === 'by closing';
    const isRight = {
      aborted: this.isAborted,
      unreachable: this.world.refusals > 0,
      // Of what cannot be read the connection is closed, which the peer may have done before.
      protocol: answer?.isValid === false || isTruncated,
      reset: peerEnd !== 'none' || this.begun.at(-1)?.end === 'rst' || this.begun.length === 0,
    }[kind];
    return isRight ? null : `failed with ${kind}`;
  }

  #expectOpen(what: string): void {
    if (!this.#isSent) this.world.complain(`${what} before send returned`);
    if (this.outcome !== undefined) this.world.complain(`${what} behind the end of call ${this.id}`);
  }
}

export function randomAnswer(random: Random): Answer {
  if (random(12) === 0) return invalidAnswer(random);
  if (random(3) === 0) return encodedAnswer(random);
  const { wire, status, body, closes, reusable } = rightResponse(random);
  return {
    wire: Buffer.from(wire, 'latin1'),
    status,
    body,
    headBytes: headEnd(wire),
    ends: closes ? 'by closing' : 'by itself',
    reusable,
    encoded: false,
    isValid: true,
  };
}

function encodedAnswer(random: Random): Answer {
  const which = random(TEXTS.length);
  const gzipped = GZIPPED[which]!;
  const framing = pick(random, ['length', 'chunked', 'close'] as const);
  const head = 'HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n';
  const wires = {
    length: () => [`${head}content-length: ${gzipped.length}\r\n\r\n`, gzipped],
    chunked: () => [
      `${head}transfer-encoding: chunked\r\n\r\n${gzipped.length.toString(16)}\r\n`,
      gzipped,
      '\r\n0\r\n\r\n',
    ],
    close: () => [`${head}\r\n`, gzipped],
  };
  const wire = Buffer.concat(wires[framing]().map((part) => Buffer.from(part as string)));
  return {
    wire,
    status: 200,
    body: TEXTS[which]!,
    headBytes: wire.indexOf('\r\n\r\n') + 4,
    ends: framing === 'close' ? 'by closing' : 'by itself',
    reusable: framing !== 'close',
    encoded: true,
    isValid: true,
  };
}

function invalidAnswer(random: Random): Answer {
  const wire = pick(random, [
    'SSH-2.0-OpenSSH\r\n\r\n',
    'HTTP/1.1 200 OK\ncontent-length: 2\n\nok',
    'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\nok',
    'HTTP/1.1 200 OK\r\ncontent-encoding: compress\r\ncontent-length: 2\r\n\r\nok',
  ]);
  return {
    wire: Buffer.from(wire),
    status: 0,
    body: '',
    headBytes: wire.length,
    ends: 'by itself',
    reusable: false,
    encoded: false,
    isValid: false,
  };
}

/** Behind the interim heads. */
function headEnd(wire: string): number {
  let end = wire.indexOf('\r\n\r\n') + 4;
  while (/^HTTP\/1\.[01] 1\d\d/.test(wire)) {
    const rest = wire.slice(end);
    return end + headEnd(rest);
  }
  end = wire.indexOf('\r\n\r\n') + 4;
  return end;
}
