/**
 * Seeded fuzz of the filter that takes the added usage event out of a stream, in random reads, against a naive oracle that has
 * the whole stream. FUZZ_SEED and FUZZ_CASES repeat or extend a run; a failure prints what repeats it.
 */
import { expect, test } from 'bun:test';
import { UsageEventFilter } from '../../src/formats/usage-event-filter.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_601);
const CASES = Number(process.env.FUZZ_CASES ?? 20_000);

const MEMBERS = ['"id":"x"', '"object":"c"', '"created":1', '"model":"m"', '"choices":[]', '"choices":null', '"choices":[{"delta":{"content":"\\"usage\\":{}"}}]',
  '"usage":{"total_tokens":3}', '"usage": {"a":{"b":[1,"}"]}}', '"usage":null', '"usage":{}', '"usage":[]', '"usage":""', '"citations":[]', '"citations":["u"]', '"x":{}', '"x":null', '"x":{"usage":{}}',
  '"n":0', '"choices" : [ ]', '"obfuscation":"abc"', '"us\\u0061ge":{}', `"pad":"${'p'.repeat(500)}"`]; // biome-ignore format: a table

function data(random: Random): string {
  const kind = random(12);
  if (kind === 0)
    return pick(random, [
      '[DONE]',
      '',
      '{}',
      'null',
      '"usage"',
      '{"usage":{}',
      '{"usage":{}}x',
      '[{"usage":{}}]',
      ' {"usage":{}} ',
    ]);
  if (kind < 5) return '{"id":"x","choices":[],"usage":{"total_tokens":3}}';
  if (random(200) === 0) return `{"choices":[],"usage":{"fill":"${'p'.repeat(16_250 + random(100))}"}}`;
  const members = Array.from({ length: 1 + random(5) }, () => pick(random, MEMBERS));
  return `{${members.join(pick(random, [',', ',', ', ', ',\n']))}}`;
}

function stream(random: Random): Buffer {
  const ends = pick(random, [['\n'], ['\n'], ['\r\n'], ['\r'], ['\n', '\r\n', '\r']]);
  const end = () => pick(random, ends);
  let text = random(20) === 0 ? '\uFEFF' : '';
  for (let events = 1 + random(5); events > 0; events--) {
    if (random(5) === 0) text += `${pick(random, [':', ': ping', ': "usage":{'])}${end()}`;
    if (random(8) === 0) text += `${pick(random, ['id: 7', 'event: x', 'retry: 1', 'dat', 'data'])}${end()}`;
    for (const line of data(random).split('\n')) {
      text += `data:${pick(random, [' ', ' ', '', '  '])}${line}${end()}`;
      if (random(15) === 0) text += `: in between${end()}`;
    }
    if (random(20) === 0) text += end();
    text += end();
  }
  const bytes = Buffer.from(text);
  return random(5) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
}

function isAdded(lines: readonly string[], bytes: number): boolean {
  const text = lines
    .filter((line) => line === 'data' || line.startsWith('data:'))
    .map((line) => line.slice('data:'.length).replace(/^ /, ''))
    .join('\n');
  let event: Record<string, unknown>;
  try {
    event = JSON.parse(text.replaceAll('"us\\u0061ge"', '"other"')) as Record<string, unknown>;
  } catch {
    return false;
  }
  if (typeof event !== 'object' || event === null || Array.isArray(event) || bytes > 16 * 1024) return false;
  if (JSON.stringify(event).includes('"choices":[{') || otherData(text)) return false;
  const { usage } = event;
  return typeof usage === 'object' && usage !== null && !Array.isArray(usage);
}

/** Of every member, also of those that a later one of the same name hides; `usage` spelled with escapes is one of them. */
function otherData(text: string): boolean {
  const members = text.match(/"(?:choices|citations|x|n|pad|us\\u0061ge)"\s*:\s*(?:\[\s*\]|\{\}|null|[^,}\]]+)/g) ?? [];
  return members.some((member) => !/:\s*(\[\s*\]|\{\}|null)$/.test(member));
}

/** The whole stream, line by line. */
function expected(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  const lines = text.match(/[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$/g) ?? [];
  let kept = '';
  let event: string[] = [];
  const decide = () => {
    const raw = event.join('');
    if (
      !isAdded(
        event.map((line) => line.replace(/[\r\n]+$/, '')),
        raw.replace(/\r\n$/, '\r').length,
      )
    )
      kept += raw;
    event = [];
  };
  for (const [i, line] of lines.entries()) {
    const content = (i === 0 ? line.replace(/^\xef\xbb\xbf/, '') : line).replace(/[\r\n]+$/, '');
    if (event.length === 0 && (content === '' || content.startsWith(':'))) {
      kept += line;
      continue;
    }
    if (event.length === 0 && i === 0) kept += line.slice(0, line.length - line.replace(/^\xef\xbb\xbf/, '').length);
    event.push(event.length === 0 && i === 0 ? line.replace(/^\xef\xbb\xbf/, '') : line);
    if (content === '') decide();
  }
  if (event.length > 0) decide();
  return kept;
}

function filtered(random: Random, bytes: Buffer): { text: string; removed: number } {
  const filter = new UsageEventFilter();
  const longest = pick(random, [1, 1, 4, 40, 400, 100_000]);
  const byEvents = random(4) === 0;
  let text = '';
  const keep = (part: Uint8Array | null) => {
    if (part) text += Buffer.from(part).toString('latin1');
  };
  for (let from = 0; from < bytes.length; ) {
    let to = Math.min(bytes.length, from + 1 + random(longest));
    while (byEvents && to < bytes.length && !/^(?:..\n\n|\r\n\r\n|..\r\r)$/s.test(bytes.toString('latin1', to - 4, to)))
      to++;
    keep(filter.push(bytes.subarray(from, to)));
    from = to;
  }
  keep(filter.end());
  return { text, removed: filter.removedBytes };
}

test(`usage event filter fuzz, FUZZ_SEED=${SEED} FUZZ_CASES=${CASES}`, () => {
  let removals = 0;
  for (let index = 0; index < CASES; index++) {
    const seed = (SEED + index) >>> 0;
    const random = randomFrom(seed);
    const bytes = stream(random);
    const wanted = expected(bytes);
    const found = filtered(random, bytes);
    if (wanted.length < bytes.length) removals++;
    if (found.text === wanted && found.removed === bytes.length - wanted.length) continue;
    console.error(`FUZZ_SEED=${seed} FUZZ_CASES=1 repeats it: ${JSON.stringify(bytes.toString('latin1').slice(-300))}`);
    expect(found.text).toBe(wanted);
    expect(found.removed).toBe(bytes.length - wanted.length);
  }
  if (CASES >= 1000) expect(removals).toBeGreaterThan(CASES / 4);
}, 600_000);
