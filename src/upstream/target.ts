/** One of the places requests go to: a base URL with a key, what it has been asked, and its health. */
import type { ResponseHeaders, UpstreamClient } from './client.ts';
import type { HeaderBlock } from './header-block.ts';
import { restTimeOf } from './rest-time.ts';
import { TargetHealth } from './target-health.ts';

/** What may change while it is in use. */
interface TargetShare {
  readonly weight: number;
  readonly maxConcurrent: number | null;
  /** The only models it is asked for; null: any. */
  readonly models: ReadonlySet<string> | null;
}

export interface TargetOptions extends TargetShare {
  readonly name: string;
  readonly client: UpstreamClient;
  /** The fields of every request to it; its key is in them. */
  readonly credentials: HeaderBlock;
}

/** Is told of changes, and knows the other targets. */
export interface TargetSupervisor {
  /** Another target is there for all its requests. */
  mayRest(target: UpstreamTarget): boolean;
  onRest(target: UpstreamTarget, reason: string): void;
  onReturn(target: UpstreamTarget): void;
  onKeyRefused(target: UpstreamTarget, status: number): void;
}

/** Stands for the request that an attempt is of. */
type AttemptToken = object;

/** After a 429, whatever it says. */
const RATE_LIMIT_REST_MAX_MS = 600_000;
/** After a 429 that says nothing. */
const RATE_LIMIT_REST_MS = 1000;

export class UpstreamTarget {
  readonly name: string;
  readonly client: UpstreamClient;
  readonly credentials: HeaderBlock;
  readonly health = new TargetHealth();
  share: TargetShare;
  inFlight = 0;
  /** Since the start, as `failures`. */
  attempts = 0;
  failures = 0;
  /** How the attempts ended that were not cancelled. */
  readonly outcomes = { ok: 0, client_error: 0, server_error: 0, no_answer: 0 };
  quotaAvailable: number | null = null;
  quotaResetMs: number | null = null;
  /** For the choice among targets with the same load, see target-pool.ts. */
  credit = 0;
  /** It last failed in a way that a client notices: it is probed by a request of ours. */
  needsOwnProbe = false;
  #prober: AttemptToken | null = null;
  #isRetired = false;
  readonly #supervisor: TargetSupervisor;

  constructor({ name, client, credentials, ...share }: TargetOptions, supervisor: TargetSupervisor) {
    this.name = name;
    this.client = client;
    this.credentials = credentials;
    this.share = share;
    this.#supervisor = supervisor;
  }

  get hasRoom(): boolean {
    const { maxConcurrent } = this.share;
    return maxConcurrent === null || this.inFlight < maxConcurrent;
  }

  serves(model: string | null): boolean {
    const { models } = this.share;
    return model === null || models === null || models.has(model);
  }

  /** A request goes to it. In the end `end` is called with the same token. */
  begin(token: AttemptToken, isProbe: boolean): void {
    this.inFlight++;
    this.attempts++;
    if (!isProbe) return;
    this.#prober = token;
    this.health.beginProbe();
  }

  /** The head of an answer is here. */
  answered(token: AttemptToken, status: number, headers: ResponseHeaders, nowMs: number, onTrial = false): void {
    const isProbe = this.#takeProbe(token);
    this.outcomes[status >= 500 ? 'server_error' : status >= 400 ? 'client_error' : 'ok']++;
    this.#noteQuota(headers, nowMs);
    if (status === 401 || status === 402) {
      this.#supervisor.onKeyRefused(this, status);
      this.#failed(this.health.refused(nowMs, isProbe, this.#mayRest()), `status ${status}`, false);
    } else if (status === 429) {
      const toldMs = restTimeOf(headers.get('retry-after'), nowMs) ?? this.#resetOf(headers, nowMs);
      const untilMs = Math.min(toldMs ?? nowMs + RATE_LIMIT_REST_MS, nowMs + RATE_LIMIT_REST_MAX_MS);
      this.#failed(this.health.restUntil(untilMs, nowMs, isProbe, this.#mayRest()), 'status 429', false);
    } else if (status >= 500) {
      this.#failed(this.health.failed(nowMs, isProbe, this.#mayRest()), `status ${status}`, false);
    } else if (this.health.succeeded(isProbe, onTrial)) {
      this.#supervisor.onReturn(this);
    }
    if (this.quotaAvailable === 0 && this.quotaResetMs !== null && headers.get('x-quota-available') !== null) {
      const rests = this.health.restUntil(this.quotaResetMs, nowMs, false, this.#mayRest());
      if (rests) this.#rest('quota used up', false);
    }
  }

  /** There was no answer. @param isSilent nothing says that the request was not begun */
  failed(token: AttemptToken, reason: string, isSilent: boolean, nowMs: number): void {
    const isProbe = this.#takeProbe(token);
    this.outcomes.no_answer++;
    this.#failed(this.health.failed(nowMs, isProbe, this.#mayRest()), reason, isSilent);
  }

  end(token: AttemptToken): void {
    this.inFlight--;
    if (this.#takeProbe(token)) this.health.probeCancelled();
    this.#closeWhenDone();
  }

  /** It is not configured any more, and finishes what it has. */
  retire(): void {
    this.#isRetired = true;
    this.#closeWhenDone();
  }

  #mayRest(): boolean {
    return !this.#isRetired && this.#supervisor.mayRest(this);
  }

  #closeWhenDone(): void {
    if (this.#isRetired && this.inFlight === 0) this.client.close();
  }

  #takeProbe(token: AttemptToken): boolean {
    if (this.#prober !== token) return false;
    this.#prober = null;
    return true;
  }

  #failed(rests: boolean, reason: string, isSilent: boolean): void {
    this.failures++;
    if (rests) this.#rest(reason, isSilent);
  }

  #rest(reason: string, isSilent: boolean): void {
    this.needsOwnProbe = isSilent;
    this.#supervisor.onRest(this, reason);
  }

  #noteQuota(headers: ResponseHeaders, nowMs: number): void {
    const available = headers.get('x-quota-available');
    if (available !== null && /^\d{1,15}$/.test(available.trim())) this.quotaAvailable = Number(available);
    this.quotaResetMs = this.#resetOf(headers, nowMs) ?? this.quotaResetMs;
  }

  #resetOf(headers: ResponseHeaders, nowMs: number): number | null {
    return restTimeOf(headers.get('x-quota-reset'), nowMs);
  }
}
