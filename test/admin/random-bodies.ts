/** Bodies for the admin API, from nearly right to nonsense. Everything follows from the random source. */
import { pick, type Random } from '../support/random.ts';

const FIELDS = [
  'name',
  'rpm_limit',
  'rpd_limit',
  'monthly_limit',
  'monthly_token_limit',
  'max_concurrent',
  'allowed_models',
  'allowed_endpoints',
  'inject_stream_usage',
  'on_leave',
  'tags',
  'expires_at',
  'grace_seconds',
] as const;

const ODD_NAMES = [
  '',
  '__proto__',
  'constructor',
  'id',
  'status',
  'key',
  'key_hash',
  'a/b',
  'a~b',
  '\0',
  '\ud800',
  'é',
];

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -0,
  1,
  60,
  -1,
  1.5,
  1e15,
  1e21,
  5e-324,
  999_999_999_999_999,
  2 ** 53,
  '',
  'x',
  '5',
  'null',
  "'; DROP TABLE api_keys; --",
  'x'.repeat(255),
  'x'.repeat(256),
  '\u{1F511}'.repeat(255),
  '\0',
  '\ud800',
  '\u202e\u001b[31m',
  '2030-01-01T00:00:00Z',
  '2030-02-30T00:00:00Z',
  '0000-01-01',
  '9999-12-31T23:59:59.999999999+23:59',
  [],
  [''],
  ['gpt-4o'],
  ['a', 'a', 'b'],
  ['\0'],
  [null],
  [[]],
  {},
  { toString: 1 },
  { length: -1 },
];

/** Bytes that mean something in JSON, and some that are no UTF-8. */
const PIECES = ['{', '}', '[', ']', '"', ':', ',', '\\', 'null', '1e999', '-', '"name"', '\u2028', ' ', '\\ud800'];

export function randomBody(random: Random): string | Uint8Array {
  const kind = random(20);
  if (kind === 0) return randomBytes(random);
  if (kind === 1) return Array.from({ length: random(30) }, () => pick(random, PIECES)).join('');
  const text = JSON.stringify(randomObject(random));
  if (kind > 4 || text.length === 0) return text;
  return mutated(random, text);
}

function randomObject(random: Random): unknown {
  if (random(30) === 0) return pick(random, VALUES);
  const object: Record<string, unknown> = {};
  if (random(4) > 0) object.name = 'fuzz';
  for (let i = random(4); i > 0; i--) {
    const field = random(12) === 0 ? pick(random, ODD_NAMES) : pick(random, FIELDS);
    // Else JSON.stringify would never write it.
    Object.defineProperty(object, field, {
      value: randomValue(random, 3),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return object;
}

function randomValue(random: Random, depth: number): unknown {
  if (depth === 0 || random(10) > 0) return pick(random, VALUES);
  const items = Array.from({ length: random(6) }, () => randomValue(random, depth - 1));
  return random(2) === 0 ? items : Object.fromEntries(items.map((item, i) => [`${i}`, item]));
}

function mutated(random: Random, text: string): string {
  const at = random(text.length);
  switch (random(3)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + pick(random, PIECES) + text.slice(at + 1);
    default:
      return text.slice(0, at) + text.slice(at + 1);
  }
}

function randomBytes(random: Random): Uint8Array {
  return Uint8Array.from({ length: random(40) }, () => random(256));
}
