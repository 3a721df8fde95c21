/**
 * How the mock treats requests with a given API key: normally, or like a failing platform. So one mock stands for several
 * targets of a gateway, healthy and failing ones.
 */
import { errorBody } from './answer.ts';
import type { Header } from './framing.ts';
import type { ReceivedRequest } from './received-request.ts';
import type { Scenario } from './scenario.ts';
import { ScenarioError } from './scenario-parser.ts';

/** The settings of each kind; STATUS stands for a status from 400 to 599. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  ok: [],
  STATUS: ['retry-after', 'retry-after-ms', 'quota-reset'],
  quota: ['allowed', 'reset'],
  slow: ['ms'],
  reset: [],
  hang: [],
};
const DEFAULTS: Readonly<Record<string, number>> = { allowed: 100, reset: 60, ms: 1_000 };
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };

interface KeyBehaviour {
  readonly kind: string;
  /** Undefined unless the kind is STATUS. */
  readonly status: number | undefined;
  readonly settings: ReadonlyMap<string, number>;
  /** How long this lasts from the first request with the key on; then the key is good. */
  readonly forMs: number;
  /** Only every nth request is treated so. */
  readonly every: number;
}

/**
 * A behaviour is a kind and its settings, separated by commas: `ok`, `401`, `429,retry-after=7`, `503,for=20s`,
 * `quota,allowed=5,reset=30`, `slow,ms=2000`, `reset`, `hang`; each also with `every=3`.
 * @throws ScenarioError
 */
function parseBehaviour(text: string): KeyBehaviour {
  const [word = '', ...rest] = text.split(',');
  const status = /^[45]\d\d$/.test(word) ? Number(word) : undefined;
  const kind = status === undefined ? word : 'STATUS';
  const names = (word === 'STATUS' ? undefined : Object.hasOwn(SETTINGS, kind)) && SETTINGS[kind];
  if (!names) {
    const known = Object.keys(SETTINGS).join(', ');
    throw new ScenarioError(`'${word}' is no behaviour; there are ${known} (STATUS: 400 to 599)`);
  }
  const settings = new Map<string, number>();
  for (const setting of rest) {
    const [, name = '', number, unit = ''] = /^([a-z-]+)=(\d{1,9})(ms|s|m)?$/.exec(setting) ?? [];
    const isKnown = name === 'for' ? unit !== '' : unit === '' && (name === 'every' || names.includes(name));
    if (!isKnown || (name === 'every' && Number(number) === 0)) {
      const taken = [...names.map((each) => `${each}=N`), 'for=10s', 'every=N'].join(', ');
      throw new ScenarioError(`'${word}' does not take '${setting}'; it takes ${taken}`);
    }
    settings.set(name, Number(number) * (UNITS_MS[unit] ?? 1));
  }
  const forMs = settings.get('for') ?? Number.POSITIVE_INFINITY;
  return { kind, status, settings, forMs, every: settings.get('every') ?? 1 };
}

/** @throws ScenarioError when it is none */
export function checkBehaviour(text: string): void {
  parseBehaviour(text);
}

interface KeyState {
  readonly behaviour: KeyBehaviour;
  requests: number;
  firstMs: number;
  windowMs: number;
  used: number;
}

export class KeyBehaviours {
  readonly #keys = new Map<string, KeyState>();

  /** @throws ScenarioError */
  constructor(behaviours: Readonly<Record<string, string>> = {}) {
    for (const [key, behaviour] of Object.entries(behaviours)) this.set(key, behaviour);
  }

  /** Sets the behaviour of a key and forgets its earlier requests. @throws ScenarioError */
  set(key: string, behaviour: string): void {
    const state = { behaviour: parseBehaviour(behaviour), requests: 0, firstMs: 0, windowMs: 0, used: 0 };
    this.#keys.set(key, state);
  }

  clear(): void {
    this.#keys.clear();
  }

  /** The scenario after the behaviour of the key; `chosen` is the one without it. With no behaviour set all keys are good. */
  apply(request: ReceivedRequest, nowMs: number, chosen: () => Scenario): Scenario {
    if (this.#keys.size === 0) return chosen();
    const state = this.#keys.get(keyOf(request));
    if (!state) return refusal(request, 401, 'Incorrect API key provided', 'invalid_api_key');
    const { kind, status, settings, forMs, every } = state.behaviour;
    if (state.requests++ === 0) state.firstMs = nowMs;
    if (nowMs - state.firstMs >= forMs || state.requests % every !== 0) return chosen();
    switch (kind) {
      case 'STATUS':
        return statusOf(request, status!, settings);
      case 'quota':
        return quota(request, state, nowMs, chosen);
      case 'slow': {
        const scenario = chosen();
        return { ...scenario, head_delay_ms: (scenario.head_delay_ms ?? 0) + setting(settings, 'ms') };
      }
      case 'reset':
        return { fault: { kind: 'refuse' } };
      case 'hang':
        return { fault: { kind: 'hang' } };
      default:
        return chosen();
    }
  }
}

function statusOf(request: ReceivedRequest, status: number, settings: ReadonlyMap<string, number>): Scenario {
  const headers: Header[] = [];
  for (const name of ['retry-after', 'retry-after-ms']) {
    const value = settings.get(name);
    if (value !== undefined) headers.push([name, String(value)]);
  }
  const reset = settings.get('quota-reset');
  if (reset !== undefined) headers.push(['x-quota-available', '0'], ['x-quota-reset', String(reset)]);
  return refusal(request, status, `The mock answers ${status} for this key`, CODES[status] ?? null, headers);
}

/** A number of requests per window, reported in headers as Fuelix does; then 429 until the window ends. */
function quota(request: ReceivedRequest, state: KeyState, nowMs: number, chosen: () => Scenario): Scenario {
  const allowed = setting(state.behaviour.settings, 'allowed');
  const lengthMs = setting(state.behaviour.settings, 'reset') * 1_000;
  if (state.used === 0 || nowMs - state.windowMs >= lengthMs) {
    state.windowMs = nowMs;
    state.used = 0;
  }
  const isSpent = state.used >= allowed;
  if (!isSpent) state.used++;
  const left = String(Math.max(1, Math.ceil((state.windowMs + lengthMs - nowMs) / 1_000)));
  const headers: Header[] = [
    ['x-quota-allowed', String(allowed)],
    ['x-quota-available', String(allowed - state.used)],
    ['x-quota-reset', left],
  ];
  if (isSpent) {
    return refusal(request, 429, 'The quota of this key is used up', 'rate_limit_exceeded', [
      ['retry-after', left],
      ...headers,
    ]);
  }
  const scenario = chosen();
  return { ...scenario, headers: [...(scenario.headers ?? []), ...headers] };
}

function setting(settings: ReadonlyMap<string, number>, name: string): number {
  return settings.get(name) ?? DEFAULTS[name]!;
}

const CODES: Readonly<Record<number, string>> = {
  401: 'invalid_api_key',
  402: 'insufficient_quota',
  429: 'rate_limit_exceeded',
};

function refusal(
  { path }: ReceivedRequest,
  status: number,
  message: string,
  code: string | null,
  headers: readonly Header[] = [],
): Scenario {
  return { status, headers, json: errorBody(status, message, code, path) };
}

function keyOf(request: ReceivedRequest): string {
  const bearer = /^Bearer +(\S+)$/i.exec(request.get('authorization') ?? '');
  return bearer?.[1] ?? request.get('x-api-key') ?? '';
}
