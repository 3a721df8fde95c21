/**
 * Seeded fuzz of what crosses the gateway besides bodies: both header allow-lists, the request id and the upstream target.
 * FUZZ_SEED and FUZZ_CASES repeat or extend a run; a failure prints what repeats it.
 */
import { expect, setDefaultTimeout, test } from 'bun:test';
import { clientFields, clientHeaders, gatewayFields } from '../../src/gateway/headers.ts';
import { upstreamTarget } from '../../src/gateway/target.ts';
import { clientRequestId } from '../../src/http/request-id.ts';
import { pathOf } from '../../src/http/route.ts';
import { HeaderBlock } from '../../src/upstream/header-block.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';

setDefaultTimeout(30 * 60_000);

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_602);
const CASES = Number(process.env.FUZZ_CASES ?? 100_000);

const FUELIX_KEY = 'fx-the-real-key';
const OWN_KEY = `sk-bve-${'0123456789abcdef'.repeat(4)}`;
const AGENT = 'bve-gateway/0';

/** Contract, section 2. */
const TO_UPSTREAM = [
  'content-type',
  'accept',
  'openai-beta',
  'anthropic-version',
  'anthropic-beta',
  'idempotency-key',
  'traceparent',
  'tracestate',
];
const SET_BY_GATEWAY = { authorization: `Bearer ${FUELIX_KEY}`, 'accept-encoding': 'identity', 'user-agent': AGENT };
/** Contract, section 1. */
const TO_CLIENT = [
  'content-type',
  'cache-control',
  'x-request-id',
  'x-quota-allowed',
  'x-quota-available',
  'x-quota-reset',
];
const WITH_ERRORS = ['retry-after', 'retry-after-ms', 'x-should-retry'];
const CREDENTIALS = ['authorization', 'x-api-key', 'cookie', 'proxy-authorization', 'x-forwarded-authorization'];
const OTHERS = [...WITH_ERRORS, 'set-cookie', 'server', 'via', 'openai-organization', 'openai-processing-ms', 'content-encoding', 'content-length', 'transfer-encoding',
  'connection', 'host', 'x-forwarded-for', 'x-real-ip', 'forwarded', 'user-agent', 'accept-encoding', 'accept-language', 'referer', 'origin', 'x-bve-latency',
  'x-quota', 'x-quota-allowed2', 'xx-quota-allowed', 'content-types', 'x-request-idd', 'openai-betas', 'alt-svc', 'strict-transport-security', 'te', 'trailer']; // biome-ignore format: a table
const NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_.!#$%&'*+^`|~";

/** Runs the cases; what goes wrong is thrown on with what repeats it. */
function fuzz(name: string, share: number, one: (random: Random) => void): void {
  test(name, () => {
    const cases = Math.ceil(CASES * share);
    for (let i = 0; i < cases; i++) {
      const seed = (SEED + i) >>> 0;
      try {
        one(randomFrom(seed));
      } catch (error) {
        throw new Error(`FUZZ_SEED=${seed} FUZZ_CASES=1 repeats it: ${String((error as Error).message)}`, {
          cause: error,
        });
      }
    }
  });
}

function mixCase(random: Random, name: string): string {
  return [...name].map((letter) => (random(3) === 0 ? letter.toUpperCase() : letter)).join('');
}

function randomName(random: Random): string {
  const kind = random(10);
  if (kind < 4) return mixCase(random, pick(random, [...TO_UPSTREAM, ...TO_CLIENT]));
  if (kind < 9) return mixCase(random, pick(random, OTHERS));
  return Array.from({ length: 1 + random(20) }, () => pick(random, [...NAME_CHARACTERS])).join('');
}

/** Anything a field can hold: printable ASCII, tabs, Latin-1; empty and long, and values that look like something else. */
function randomValue(random: Random): string {
  const kind = random(8);
  if (kind === 0) return '';
  if (kind === 1)
    return pick(random, [
      'application/json',
      'text/event-stream; charset=utf-8',
      'assistants=v2',
      'a, b,c',
      '"quoted, comma"',
      '1',
      'no-store',
    ]);
  if (kind === 2) return `${'long '.repeat(random(800))}end`;
  const length = random(40);
  let value = '';
  while (value.length < length) {
    const code = random(256);
    if (code === 9 || (code >= 32 && code !== 127)) value += String.fromCharCode(code);
  }
  return value;
}

function randomHeaders(random: Random): Headers {
  const headers = new Headers();
  for (let count = random(12); count > 0; count--) headers.append(randomName(random), randomValue(random));
  return headers;
}

const FORM = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-';

/** The form of contract, section 1, letter by letter. */
function isRequestId(text: string): boolean {
  return text.length >= 1 && text.length <= 128 && [...text].every((letter) => FORM.includes(letter));
}

function randomId(random: Random): string {
  const length = pick(random, [0, 1, 2, 36, 127, 128, 129, 300]);
  const id = Array.from({ length }, () => FORM[random(FORM.length)]).join('');
  if (random(2) === 0 || length === 0) return id;
  const odd = pick(random, [' ', '/', ':', ',', '\u00e9', '%', '\t', '"', '+', '=', '\u00a0']);
  const at = random(length);
  return id.slice(0, at) + odd + id.slice(at + 1);
}

fuzz('of a client, only what is on the list goes upstream, as it is, with our credentials', 0.3, (random) => {
  const headers = randomHeaders(random);
  for (const name of CREDENTIALS) if (random(2) === 0) headers.set(name, `Bearer ${OWN_KEY}`);
  if (random(2) === 0) headers.set('x-request-id', randomId(random));
  const sent = [...gatewayFields(FUELIX_KEY, AGENT), ...clientFields(headers, clientRequestId(headers))];
  const expected: Record<string, string> = { ...SET_BY_GATEWAY };
  for (const name of TO_UPSTREAM) if (headers.has(name)) expected[name] = headers.get(name)!;
  const id = headers.get('x-request-id');
  if (id !== null && isRequestId(id)) expected['x-request-id'] = id;
  const names = sent.map(([name]) => name);
  if (new Set(names).size !== names.length) throw new Error(`a name twice: ${names}`);
  if (!Bun.deepEquals(Object.fromEntries(sent), expected)) throw new Error(`sent ${JSON.stringify(sent)}`);
  if (JSON.stringify(sent).includes(OWN_KEY)) throw new Error('our own key goes upstream');
  // And it is something that can be sent.
  new Headers(sent as [string, string][]);
  new HeaderBlock(sent);
});

fuzz('of upstream, only what is on the list reaches the client, as it is, and the latency', 0.3, (random) => {
  const headers = randomHeaders(random);
  const latencyMs = random(3) === 0 ? -random(10) : random(1_000_000) / 7;
  const isError = random(2) === 0;
  const answered = clientHeaders(headers, latencyMs, isError);
  const expected: Record<string, string> = { 'x-bve-latency': String(Math.max(0, Math.floor(latencyMs))) };
  // Joined lines may end in a blank; around a value blanks mean nothing.
  for (const name of isError ? [...TO_CLIENT, ...WITH_ERRORS] : TO_CLIENT)
    if (headers.has(name)) expected[name] = headers.get(name)!.replace(/^[ \t]+|[ \t]+$/g, '');
  if (!Bun.deepEquals(Object.fromEntries(answered), expected))
    throw new Error(`answered ${JSON.stringify([...answered])}`);
});

fuzz('whatever an upstream client hands over as a value, nothing throws and no line break passes', 0.1, (random) => {
  const odd = () =>
    Array.from({ length: random(20) }, () => String.fromCharCode(random(4) === 0 ? random(0x1_0000) : random(40))).join(
      '',
    );
  const values = Object.fromEntries([...TO_CLIENT, ...OTHERS].map((name) => [name, random(3) === 0 ? null : odd()]));
  const answered = clientHeaders({ get: (name) => values[name] ?? null, keys: () => Object.keys(values) }, 1, false);
  for (const [name, value] of answered) {
    if (name !== 'x-bve-latency' && !TO_CLIENT.includes(name)) throw new Error(`${name} passed`);
    if (/[\r\n\0]/.test(value)) throw new Error(`${name} carries ${JSON.stringify(value)}`);
  }
});

fuzz('a request id is taken in its form only', 0.1, (random) => {
  const id = randomId(random);
  const headers = new Headers();
  headers.set('X-Request-Id', id);
  const expected = isRequestId(headers.get('x-request-id')!) ? headers.get('x-request-id') : null;
  if (clientRequestId(headers) !== expected) throw new Error(`${JSON.stringify(id)}: ${clientRequestId(headers)}`);
});

const SEGMENTS = ['gpt-4o', '..', '.', '%2e%2e', '%2E.', '.%2e', '%2e', '...', '..%2f', '%2f..', '..%5c..', '\\..', '..\\', 'a%2fb', 'org%2Fmodel', '%252e%252e', '', 'v1',
  'models', 'chat', 'completions', 'files', '%zz', '%', '%c3%a9', 'caf\u00e9', ';..', '..;', '%00', '%2e%2e%2f%2e%2e%2fadmin', 'a b', '@host', '//evil', '\t..']; // biome-ignore format: a table
const KEYS = [
  OWN_KEY,
  encodeURIComponent(OWN_KEY),
  OWN_KEY.replace('sk', '%73%6b'),
  OWN_KEY.replace('-', '%2D'),
  OWN_KEY.replace('s', '%73'),
  `%zz${OWN_KEY}`,
];
const PAIRS = [
  'limit=20',
  'after=x',
  'a',
  '=',
  'a=%zz',
  'b=%20+c',
  'order=asc',
  'q=..%2f..',
  'x=/../../',
  'c=%c3%a9',
  'd=\u00e9',
  'model=gpt-4o',
  '',
];
const ENDPOINTS = ['/v1/models/*', '/v1/models', '/v1/chat/completions', '/v1/responses'];
const BASE = 'https://upstream.test/some/v1';

function randomUrl(random: Random, endpoint: string): string {
  const own = endpoint.replace('*', '');
  const prefix = pick(random, [own, own, own, '/v1/', '/', '//', '/v1/..', own.replace('/v1', '/v1/x/..')]);
  const path =
    prefix + Array.from({ length: random(3) }, () => pick(random, SEGMENTS)).join(pick(random, ['/', '%2f', '\\']));
  const pairs = Array.from({ length: random(5) }, () =>
    random(4) === 0
      ? `${pick(random, ['key=', 'api_key=', '', `${pick(random, KEYS)}=`])}${pick(random, KEYS)}`
      : pick(random, PAIRS),
  );
  const query = pairs.length === 0 ? pick(random, ['', '', '?']) : `?${pairs.join('&')}`;
  return path + query + pick(random, ['', '', '', '#frag', `#${OWN_KEY}`, '#/../..']);
}

/**
 * Bun resolves the request line by a URL parser, unless the Host header is malformed: then `request.url` is the line as it
 * came, in which it takes neither blanks nor control characters.
 */
function asBunHasIt(random: Random, target: string): string {
  return random(4) === 0
    ? target.replace(/[\0-\x20]/g, '')
    : (URL.parse(`http://gateway.test${target}`)?.href ?? target);
}

function decoded(text: string): string {
  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

let targets = 0;

fuzz(
  'a target stays under the path of its endpoint, whoever resolves it, and carries no key of ours in its query',
  0.2,
  (random) => {
    const endpoint = pick(random, ENDPOINTS);
    const url = asBunHasIt(random, randomUrl(random, endpoint));
    const target = upstreamTarget(url, endpoint);
    if (target === null) return;
    targets++;
    const saying = `${JSON.stringify(url)} on ${endpoint} became ${JSON.stringify(target)}`;
    const [path = '', ...query] = target.split('?');
    const stem = `/some${endpoint.replace('*', '')}`;
    const plain = decoded(path).replace(/[\0-\x20%#?]/g, encodeURIComponent);
    for (const spelling of [path, plain, plain.replaceAll('\\', '/')]) {
      const resolved = new URL(BASE + spelling).pathname;
      if (endpoint.endsWith('*') ? !resolved.startsWith(stem) || resolved === stem : resolved !== stem)
        throw new Error(`${saying}, which is ${resolved}`);
    }
    if (target.includes('#')) throw new Error(`${saying}, with a fragment`);
    if (`/v1${path}` !== pathOf(url)) throw new Error(`${saying}, another path`);
    if (decoded(query.join('?')).includes('sk-bve-')) throw new Error(`${saying}, with a key`);
    const given = url.split('#')[0]!.split('?').slice(1).join('?').split('&');
    const kept = given.filter((pair) => !decoded(pair).includes('sk-bve-'));
    if (query.join('?') !== kept.join('&')) throw new Error(`${saying}, another query`);
  },
);

test.skipIf(CASES < 1_000)('enough of the targets were let through for this to mean something', () => {
  expect(targets).toBeGreaterThan(CASES * 0.2 * 0.1);
});
