/**
 * The plan of one request: drawn from the seed and its number alone, so that a run can be repeated whatever the timing was.
 */

import { randomFrom } from '../../src/load/statistics.ts';
import { binaryBytes } from '../../src/mock/binary.ts';
import type { Scenario } from '../../src/mock/scenario.ts';
import { splitEvents } from '../../src/mock/split-events.ts';
import { type ClientBehaviour, drawBehaviour, LATE_HEAD_MS, LONG_STREAM } from './behaviour.ts';
import type { Explanation } from './explanation.ts';
import { FAULTS, type Faulty, FINE, type SoakFault, type Sound } from './faults.ts';
import { referenceOf } from './reference.ts';
import { completionTokens, KINDS, LARGE_DOWNLOAD, type RequestKind } from './request-kinds.ts';

/** Which key it has, see keys.ts. */
export type KeyRole = 'plain' | 'drains' | 'tokens' | 'narrow' | 'minute' | 'day' | 'concurrent' | 'churn' | 'nobody';

/** What is kept of it until the ledger is made up. */
export interface PlannedRequest {
  readonly number: number;
  readonly kind: RequestKind;
  readonly role: KeyRole;
  readonly fault: string;
  readonly hitsAnother: boolean;
  readonly behaviour: ClientBehaviour;
  /** What may come of it while nothing disturbs and the key is good. */
  readonly explanations: readonly Explanation[];
  /** The sum of tokens that upstream reports when it ends in order. */
  readonly tokens: number | null;
  readonly model: string | null;
  readonly mayBeShort: boolean;
}

/** Only while it is sent and answered. */
export interface RequestToSend {
  readonly plan: PlannedRequest;
  readonly reference: Buffer;
  readonly eventEnds: readonly number[];
  readonly bodySha256: string;
  readonly asksToClose: boolean;
  /** Head and body. @param secret null: no credentials */
  bytes(requestId: string, secret: string | null): Buffer;
}

const ROLES: readonly (readonly [KeyRole, number])[] = [
  ['plain', 60],
  ['drains', 8],
  ['tokens', 8],
  ['narrow', 3],
  ['minute', 3],
  ['day', 2],
  ['concurrent', 6],
  ['churn', 10],
  ['nobody', 2],
];

/** What the narrow key may use (keys.ts). */
export const NARROW_MODEL = 'gpt-4o-mini';
export const NARROW_ENDPOINTS: Readonly<Record<string, string>> = {
  '/v1/chat/completions': 'chat',
  '/v1/embeddings': 'embeddings',
};
const MODELS = ['gpt-4o', NARROW_MODEL, 'claude-sonnet-4', 'meta-llama/llama-3.3-70b'];

const FAULTY_SHARE = 0.35;
const STOPPED_READERS = 0.002;
const ONE_MILLION = 1_000_003;

export function planRequest(seed: number, number: number): RequestToSend {
  const random = randomFrom(seed * ONE_MILLION + number);
  // Neighbouring seeds begin alike.
  for (let i = 0; i < 4; i++) random();
  const stops = random() < STOPPED_READERS;
  const kind = stops ? LARGE_DOWNLOAD : drawn(KINDS, ({ weight }) => weight, random);
  const role = stops ? 'plain' : drawn(ROLES, ([, weight]) => weight, random)[0];
  const behaviour: ClientBehaviour = stops ? { does: 'stop' } : drawBehaviour(kind, random);
  const model = kind.fields || kind.fileBytes ? MODELS[Math.floor(random() * MODELS.length)]! : null;
  const scenario =
    behaviour.does === 'leave' && behaviour.at === 'reading' && kind.form === 'sse'
      ? LONG_STREAM
      : kind.scenario(random);
  const asked = new Asked(kind, model, random);
  const sound = soundAnswer(kind, scenario, asked);
  const mayFail = behaviour.does === 'read' || behaviour.does === 'slow';
  const fault = kind.endpoint !== null && mayFail && random() < FAULTY_SHARE ? drawFault(sound, random) : undefined;
  const faulty: Faulty = fault?.apply(sound, random) ?? { change: changeFor(behaviour), explanations: [] };
  const whole = faulty.replacesBody ? faulty.change : { ...scenario, ...faulty.change };
  const body = asked.body(whole);
  const reference = kind.check === 'own' ? Buffer.alloc(0) : referenceFor(kind, whole, asked, body);
  const isSound = fault === undefined || fault.harmless === true;
  const plan: PlannedRequest = {
    number,
    kind,
    role,
    fault: fault?.name ?? 'none',
    hitsAnother: fault?.hitsAnother === true,
    behaviour,
    explanations: explanationsOf(kind, role, model, behaviour, isSound ? [FINE] : faulty.explanations),
    tokens: tokensOf(kind, role, scenario, isSound),
    model,
    mayBeShort: faulty.mayBeShort === true,
  };
  return {
    plan,
    reference,
    eventEnds: kind.form === 'sse' ? eventEndsOf(reference) : [],
    bodySha256: new Bun.CryptoHasher('sha256').update(body).digest('hex'),
    asksToClose: asked.closes,
    bytes: (requestId, secret) => Buffer.concat([asked.head(whole, body, requestId, secret), body]),
  };
}

function drawFault(sound: Sound, random: () => number): SoakFault {
  return drawn(
    FAULTS.filter((fault) => fault.fits(sound)),
    ({ weight }) => weight,
    random,
  );
}

function soundAnswer(kind: RequestKind, scenario: Scenario, asked: Asked): Sound {
  const reference = kind.check === 'own' ? Buffer.alloc(0) : referenceFor(kind, scenario, asked, asked.body(scenario));
  return { kind, scenario, reference, eventEnds: kind.form === 'sse' ? eventEndsOf(reference) : [] };
}

function referenceFor(kind: RequestKind, scenario: Scenario, asked: Asked, body: Buffer): Buffer {
  if (scenario.bytes !== undefined) return download(scenario.bytes);
  return referenceOf(
    { method: kind.method, path: asked.upstreamTarget(scenario), headers: asked.headers, body },
    scenario,
  );
}

const downloads = new Map<number, Buffer>();

function download(bytes: number): Buffer {
  const known = downloads.get(bytes) ?? binaryBytes(bytes);
  downloads.set(bytes, known);
  return known;
}

function eventEndsOf(body: Buffer): number[] {
  let end = 0;
  return splitEvents(body).map((event) => {
    end += event.length;
    return end;
  });
}

/** A client that leaves before the head needs a head that is late. */
function changeFor(behaviour: ClientBehaviour): Partial<Scenario> {
  return behaviour.does === 'leave' && behaviour.at === 'waiting' ? { head_delay_ms: LATE_HEAD_MS } : {};
}

function explanationsOf(
  kind: RequestKind,
  role: KeyRole,
  model: string | null,
  behaviour: ClientBehaviour,
  ofAnswer: readonly Explanation[],
): readonly Explanation[] {
  const forbidden = role === 'narrow' && kind.endpoint !== null ? refusalOfNarrow(kind, model) : undefined;
  const natural = forbidden ? [forbidden] : kind.endpoint === null ? [{ ...FINE, record: 'none' as const }] : ofAnswer;
  if (behaviour.does === 'stop')
    return [{ saw: 'reset', status: 200, record: { finish: 'error', errorCode: 'client_stalled' } }];
  if (behaviour.does !== 'leave') return natural;
  if (forbidden) return [...natural, { saw: 'left', record: 'any or none' }];
  switch (behaviour.at) {
    case 'sending':
      // The gateway may never have seen the request.
      return [{ saw: 'left', record: 'any or none' }];
    case 'end':
      return [...natural, { saw: 'left', record: { finish: 'complete', errorCode: null } }];
    default:
      return [{ saw: 'left', record: { finish: 'client_closed', errorCode: null } }];
  }
}

function refusalOfNarrow({ path, fields }: RequestKind, model: string | null): Explanation | undefined {
  const refused = (code: string): Explanation => ({
    saw: 'complete',
    status: 403,
    code,
    record: { finish: 'error', errorCode: code },
  });
  if (NARROW_ENDPOINTS[path] === undefined) return refused('endpoint_not_allowed');
  return fields && model !== NARROW_MODEL ? refused('model_not_allowed') : undefined;
}

function tokensOf(kind: RequestKind, role: KeyRole, scenario: Scenario, isSound: boolean): number | null {
  if (!isSound) return null;
  // A key with a token limit has the usage asked for on the client's behalf.
  return role === 'tokens' && kind.usageIsInjected ? completionTokens(scenario) : kind.tokens(scenario);
}

/** The request as it goes on the wire. */
class Asked {
  readonly headers: readonly (readonly [string, string])[];
  readonly #kind: RequestKind;
  readonly #fields: Readonly<Record<string, unknown>> | undefined;
  readonly #model: string | null;
  readonly #file: Buffer | undefined;
  readonly #usesApiKeyHeader: boolean;
  readonly closes: boolean;
  readonly #mayRepeat: boolean;

  constructor(kind: RequestKind, model: string | null, random: () => number) {
    this.#kind = kind;
    this.#model = model;
    this.#fields = kind.fields?.(random);
    this.#file = kind.fileBytes ? binaryBytes(kind.fileBytes(random)) : undefined;
    this.#usesApiKeyHeader = random() < 0.2;
    this.closes = random() < 0.05;
    this.#mayRepeat = random() < 0.2;
    const type = this.#file ? `multipart/form-data; boundary=${BOUNDARY}` : 'application/json';
    this.headers = [
      ...Object.entries(kind.headers ?? {}),
      ...(this.#fields || this.#file ? [['content-type', type] as const] : []),
    ];
  }

  target(scenario: Scenario): string {
    if (this.#fields || this.#file || this.#kind.check === 'own') return this.#kind.path;
    return `${this.#kind.path}?mock=${encodeURIComponent(JSON.stringify(scenario))}`;
  }

  /** Upstream has no legacy completions. */
  upstreamTarget(scenario: Scenario): string {
    return this.#kind.check === 'legacy' ? '/v1/chat/completions' : this.target(scenario);
  }

  body(scenario: Scenario): Buffer {
    if (this.#file) return form({ model: this.#model!, mock: JSON.stringify(scenario) }, this.#file);
    if (!this.#fields) return Buffer.alloc(0);
    return Buffer.from(JSON.stringify({ model: this.#model, ...this.#fields, mock: scenario }));
  }

  head(scenario: Scenario, body: Buffer, requestId: string, secret: string | null): Buffer {
    const lines = [
      `${this.#kind.method} ${this.target(scenario)} HTTP/1.1`,
      'host: 127.0.0.1',
      `x-request-id: ${requestId}`,
      ...this.headers.map(([name, value]) => `${name}: ${value}`),
    ];
    if (secret !== null)
      lines.push(this.#usesApiKeyHeader ? `x-api-key: ${secret}` : `authorization: Bearer ${secret}`);
    if (this.#kind.method === 'POST') lines.push(`content-length: ${body.length}`);
    if (this.closes) lines.push('connection: close');
    if (this.#mayRepeat && this.#kind.method === 'POST') lines.push(`idempotency-key: ${requestId}`);
    return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
  }
}

const BOUNDARY = 'soak-7d1f3b';

function form(fields: Readonly<Record<string, string>>, file: Buffer): Buffer {
  const parts = Object.entries(fields).map(
    ([name, value]) => `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`,
  );
  const field =
    'content-disposition: form-data; name="file"; filename="soak.bin"\r\ncontent-type: application/octet-stream';
  return Buffer.concat([
    Buffer.from(`${parts.join('')}--${BOUNDARY}\r\n${field}\r\n\r\n`),
    file,
    Buffer.from(`\r\n--${BOUNDARY}--\r\n`),
  ]);
}

function drawn<T>(all: readonly T[], weightOf: (of: T) => number, random: () => number): T {
  const total = all.reduce((sum, each) => sum + weightOf(each), 0);
  let left = random() * total;
  for (const each of all) {
    left -= weightOf(each);
    if (left < 0) return each;
  }
  return all.at(-1)!;
}
