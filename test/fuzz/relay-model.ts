/**
 * What the relay must do, in small: one answer as a handful of facts, and for each thing that can happen what follows from it.
 * Shares no code with src/gateway/relay.ts; what a stream says is known here from the pieces it is made of.
 */
import type { Finish } from '../../src/usage/usage-record.ts';

export interface Piece {
  readonly name: string;
  readonly text: string;
}

const event = (name: string, data: string): Piece => ({ name, text: `data: ${data}\n\n` });

export const CONTENT = event('content', '{"choices":[{"delta":{"content":"a"},"finish_reason":null}]}');
export const LARGE = event(
  'large',
  `{"choices":[{"delta":{"content":"${'b'.repeat(150_000)}"},"finish_reason":null}]}`,
);
export const FINISH = event('finish', '{"choices":[{"delta":{},"finish_reason":"stop"}]}');
export const USAGE = event('usage', '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}');
export const DONE = event('done', '[DONE]');
export const ERROR = event('error', '{"error":{"code":"overheated"}}');
export const COMMENT: Piece = { name: 'comment', text: ': ping\n' };
export const OTHER_CR: Piece = { name: 'cr', text: 'data: {"a":1}\r\r' };
export const HALF: Piece = { name: 'half', text: 'data: {"choices":[{"delta":{"content":"c"},"fin' };
export const REST: Piece = { name: 'rest', text: 'ish_reason":null}]}\n\n' };
/** A JSON answer, in two. */
export const JSON_START: Piece = { name: 'json start', text: '{"choices":[],"usage":{"prompt_tokens":1,' };
export const JSON_REST: Piece = { name: 'json rest', text: '"completion_tokens":2}}' };

export type Kind = 'sse' | 'json' | 'none';
export type Phase = 'head' | 'refusing' | 'open' | 'finishing' | 'draining' | 'over';
export type Closing = 'no' | 'in order' | 'error event' | 'reset' | 'left';

export interface Setting {
  readonly kind: Kind;
  readonly hasBody: boolean;
  readonly endsByTerminalEvent: boolean;
  readonly drains: boolean;
  readonly drainRoom: boolean;
  readonly streamBreak: 'event' | 'reset';
  /** The body passes a filter that holds back what is not a whole event. */
  readonly filtered: boolean;
}

export const LIMITS = {
  upstreamHeadTimeoutMs: 600,
  upstreamIdleTimeoutMs: 300,
  upstreamTotalTimeoutMs: 3600,
  clientStallTimeoutMs: 310,
  leaveDrainMs: 3000,
};
const TAIL_DRAIN_MS = 2000;
const REFUSED_BYTES_MAX = 64 * 1024;
const QUEUE_FULL_BYTES = 256 * 1024;

export class Model {
  phase: Phase = 'head';
  finish: Finish | null = null;
  /** There is no answer of upstream's: the caller makes one. */
  refused = false;
  /** The head was accepted while the client was there. */
  answered = false;
  cancelled = false;
  upstreamOver = false;
  closing: Closing = 'no';
  taken = false;
  asked = false;
  pending = 0;
  left = false;
  countedDrain = false;
  /** What the client must have been given. */
  sent = '';
  paused = false;
  // Of the stream.
  #queuedBytes = 0;
  #held = '';
  #passedCr = false;
  #ended = false;
  #usage = false;
  #usageIsFinal = false;
  #terminal = false;
  #inEvent = false;
  #endsWithCr = false;
  #jsonBytes = 0;
  #refusedBytes = 0;
  // Times.
  #startedMs: number;
  #byteMs: number;
  #heard = false;
  #stalledMs = 0;
  #leftMs = 0;
  #drainUntilMs = 0;
  #next: Closing = 'no';
  #nextFinish: Finish = 'complete';

  constructor(
    readonly setting: Setting,
    public nowMs: number,
  ) {
    this.#startedMs = nowMs;
    this.#byteMs = nowMs;
  }

  head(outcome: 'accepted' | 'refused' | 'thrown'): void {
    if (outcome === 'thrown') {
      this.#refuse();
      return;
    }
    this.#byteMs = this.nowMs;
    if (this.phase === 'draining') {
      if (outcome === 'refused' || this.setting.kind === 'none') this.#stop('client_closed');
    } else {
      this.phase = outcome === 'refused' ? 'refusing' : 'open';
      this.answered = this.phase === 'open';
    }
  }

  data(piece: Piece): void {
    if (this.phase === 'open') {
      this.#heard = true;
      this.#note(piece);
      this.#held += piece.text;
      if (this.setting.filtered && (piece.name === 'half' || piece.name === 'comment')) return;
      this.#pass();
      this.#passedCr = piece.name === 'cr';
      if (!this.asked && this.#queuedBytes >= QUEUE_FULL_BYTES) this.paused = true;
    } else if (this.phase === 'refusing') {
      this.#refusedBytes += piece.text.length;
      if (this.#refusedBytes > REFUSED_BYTES_MAX) this.#refuse();
    } else if (this.phase === 'draining') {
      this.#note(piece);
      if (this.setting.kind === 'sse' && (this.#usageIsFinal || this.#terminal)) this.#stop('client_closed');
    }
  }

  end(): void {
    this.upstreamOver = true;
    if (this.phase === 'refusing') this.#refuse();
    else if (this.phase === 'draining') this.#abandon('client_closed');
    else if (this.phase !== 'open') return;
    else if (this.setting.endsByTerminalEvent && !this.#terminal) this.#break('upstream_interrupted');
    else this.#conclude('complete', 'in order');
  }

  fail(aborted: boolean): void {
    this.upstreamOver = true;
    if (this.phase === 'refusing') this.#refuse();
    else if (this.phase === 'draining') this.#abandon('client_closed');
    else if (this.phase === 'open' && aborted) this.#stop('client_closed');
    else if (this.phase === 'open' || this.phase === 'head') this.#break('upstream_interrupted');
  }

  ask(): void {
    this.asked = true;
    if (this.phase === 'over' || this.phase === 'draining') {
      // Too late: there is nothing to give.
      this.sent = '';
      this.closing = 'reset';
      return;
    }
    const wasFull = this.#queuedBytes >= QUEUE_FULL_BYTES;
    this.#queuedBytes = 0;
    if (this.pending === 0) this.room(wasFull);
  }

  /** A write went into a full kernel. */
  full(): void {
    if (this.pending++ > 0) return;
    this.#stalledMs = this.nowMs;
    this.paused = true;
  }

  written(): void {
    if (--this.pending === 0) this.room(true);
  }

  room(wasFull: boolean): void {
    if (this.phase === 'finishing') {
      this.#close();
    } else if (wasFull && this.phase === 'open') {
      this.#byteMs = this.nowMs;
      this.paused = false;
    }
  }

  leave(): void {
    if (this.left || this.phase === 'over') return;
    this.left = true;
    this.#leftMs = this.nowMs;
    const { kind, drains, drainRoom } = this.setting;
    const mayLearn = this.phase === 'head' || (kind !== 'none' && !this.#usageIsFinal && !this.#terminal);
    this.countedDrain = (this.phase === 'head' || this.phase === 'open') && mayLearn && drains && drainRoom;
    const isTail = this.phase === 'open' && mayLearn && this.#ended;
    if (this.phase === 'finishing') {
      this.#abandon('client_closed');
      return;
    }
    if (!this.countedDrain && !isTail) {
      const hadAll = this.phase === 'open' && this.#terminal && this.asked && this.pending === 0;
      this.#stop(hadAll ? 'complete' : 'client_closed');
      return;
    }
    this.#drainUntilMs = this.#leftMs + (this.countedDrain ? LIMITS.leaveDrainMs : TAIL_DRAIN_MS);
    this.phase = 'draining';
    this.paused = false;
  }

  cut(): void {
    if (this.phase === 'draining') this.#stop('client_closed');
    else if (this.phase === 'finishing' || (this.phase === 'open' && this.pending > 0)) this.#stop('error');
    else this.#break('error');
  }

  tick(): void {
    if (this.#heard) this.#byteMs = this.nowMs;
    this.#heard = false;
    if (this.phase === 'draining') {
      if (this.nowMs > this.#drainUntilMs) this.#stop('client_closed');
    } else if (this.phase === 'finishing') {
      if (this.taken && this.nowMs - this.#stalledMs > LIMITS.clientStallTimeoutMs) this.#stop('error');
    } else if (this.nowMs - this.#startedMs > LIMITS.upstreamTotalTimeoutMs) {
      this.#break('upstream_interrupted');
    } else if (this.pending > 0) {
      if (this.nowMs - this.#stalledMs > LIMITS.clientStallTimeoutMs) this.#stop('error');
    } else if (this.phase === 'head') {
      if (this.nowMs - this.#startedMs > LIMITS.upstreamHeadTimeoutMs) this.#break('upstream_interrupted');
    } else if (this.nowMs - this.#byteMs > LIMITS.upstreamIdleTimeoutMs) {
      this.#break('upstream_interrupted');
    }
  }

  /** What the caller has been told in the end. */
  get outcome(): Finish | 'refused' | null {
    if (this.phase !== 'over') return null;
    if (!this.answered) return 'refused';
    if (this.refused) return this.taken ? 'refused' : null;
    return this.finish;
  }

  get endsWithCr(): boolean {
    return this.setting.filtered ? this.#passedCr : this.#endsWithCr;
  }

  #pass(): void {
    this.sent += this.#held;
    if (!this.asked) this.#queuedBytes += this.#held.length;
    this.#held = '';
  }

  #note({ name, text }: Piece): void {
    this.#endsWithCr = name === 'cr';
    if (this.setting.kind === 'json') {
      this.#jsonBytes += text.length;
      this.#usageIsFinal = this.#jsonBytes === JSON_START.text.length + JSON_REST.text.length;
    }
    if (this.setting.kind !== 'sse') return;
    this.#inEvent = name === 'half';
    if (name === 'content' || name === 'large' || name === 'rest') this.#ended = this.#usageIsFinal = false;
    if (name === 'finish') {
      this.#ended = true;
      this.#usageIsFinal = false;
    }
    if (name === 'usage') {
      this.#usage = true;
      this.#usageIsFinal = this.#ended;
    }
    if (name === 'done' || name === 'error') this.#terminal = true;
    if (name === 'done') this.#usageIsFinal = this.#usage;
  }

  #break(finish: Finish): void {
    this.upstreamOver = true;
    if (this.phase === 'head' || this.phase === 'refusing' || !this.taken) this.#refuse();
    else if (this.#terminal) this.#conclude('complete', 'in order');
    else if (
      this.setting.kind !== 'sse' ||
      this.setting.streamBreak === 'reset' ||
      (this.#inEvent && !this.setting.filtered)
    )
      this.#conclude(finish, 'reset');
    else this.#conclude(finish, 'error event');
  }

  #conclude(finish: Finish, closing: Closing): void {
    if (closing !== 'error event') this.#pass();
    this.phase = 'finishing';
    this.#nextFinish = finish;
    this.#next = closing;
    if (this.pending === 0) this.#stalledMs = this.nowMs;
    if (!this.setting.hasBody) this.#over(finish);
    else if (this.asked && this.pending === 0) this.#close();
  }

  #close(): void {
    this.closing = this.#next;
    this.#over(this.#nextFinish);
  }

  #stop(finish: Finish): void {
    this.cancelled = this.left;
    this.upstreamOver = true;
    if (this.asked) this.closing = this.left ? 'left' : 'reset';
    this.#abandon(finish);
  }

  #abandon(finish: Finish): void {
    if (!this.taken) this.refused = true;
    this.#over(finish);
  }

  #over(finish: Finish): void {
    this.phase = 'over';
    this.finish = finish;
    this.countedDrain = false;
  }

  #refuse(): void {
    this.upstreamOver = true;
    this.phase = 'over';
    this.countedDrain = false;
    this.refused = true;
  }
}
