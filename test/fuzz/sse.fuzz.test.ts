/**
 * Seeded fuzz of the meter: generated streams, in random reads, against the naive oracle and against the slow path alone.
 * FUZZ_SEED and FUZZ_CASES repeat or extend a run; a failure prints what repeats it.
 */
import { describe, expect, test } from 'bun:test';
import { EventInterpreter } from '../../src/formats/event-interpreter.ts';
import { Meter } from '../../src/gateway/meter.ts';
import { FORMATS, type FormatName } from '../formats/metered.ts';
import { findInDocument, findInEvents } from '../formats/usage-oracle.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_240_601);
const CASES = Number(process.env.FUZZ_CASES ?? 100_000);
const NAMES: FormatName[] = ['chat', 'responses', 'messages', 'opaque'];

const encoder = new TextEncoder();

function number(random: Random): string {
  return pick(random, ['0', '1', '7', '16', '300', '31073', '-1', '-0', '1.5', '2.0', '1e3', '12E-1', '9007199254740991',
    '9007199254740992', '1e400', '"5"', '"17"', '"1.0"', 'null', 'true', '{}', '[3]', '{"prompt_tokens":4}']); // biome-ignore format: a table
}

const COUNT_KEYS = ['prompt_tokens', 'completion_tokens', 'total_tokens', 'input_tokens', 'output_tokens',
  'cache_read_input_tokens', 'cache_creation_input_tokens', 'queue_time', 'prompt_tokens_details', 'cached_tokens', 'prompt\\u005ftokens']; // biome-ignore format: a table
const DETAIL_KEYS = [
  'prompt_tokens_details',
  'completion_tokens_details',
  'input_tokens_details',
  'output_tokens_details',
  'details',
];

function usage(random: Random): string {
  const kind = random(12);
  if (kind === 0) return 'null';
  if (kind === 1) return pick(random, ['{}', '[]', '0', '"usage"', '[{"prompt_tokens":5}]']);
  const members: string[] = [];
  for (let count = random(5); count >= 0; count--) {
    members.push(`"${pick(random, COUNT_KEYS)}": ${number(random)}`);
    if (random(4) === 0) members.push(`"${pick(random, DETAIL_KEYS)}": ${details(random)}`);
  }
  return `{${members.join(',')}}`;
}

function details(random: Random): string {
  const kind = random(8);
  if (kind === 0) return pick(random, ['null', '7', '[]', '"cached_tokens"', '[{"cached_tokens":5}]']);
  const members: string[] = [];
  for (let count = random(4); count > 0; count--) {
    members.push(
      `"${pick(random, ['cached_tokens', 'reasoning_tokens', 'audio_tokens', 'prompt_tokens'])}":${number(random)}`,
    );
  }
  return `{${members.join(',')}}`;
}

const STRINGS = ['', 'a', 'Hello, world', 'héllo 🌍', '\\n', '\\"', '\\\\', '\\\\\\"', '[DONE]', 'message_stop', 'error',
  'response.completed', '\\"usage\\":{\\"prompt_tokens\\":999}', '"usage"'.replaceAll('"', '\\u0022'), '\tusage', 'data: x',
  'x'.repeat(60), `${'y'.repeat(300)}\\"`, `${'z'.repeat(80)}\\\\`, '\\"'.repeat(40), `${'w'.repeat(400)}\\"usage\\":{`]; // biome-ignore format: a table

const TYPES = ['response.completed', 'response.failed', 'response.incomplete', 'response.created', 'response.', 'respons', 'error',
  'message_start', 'message_delta', 'message_stop', 'ping', 'message\\u005fstop', '', 'x'.repeat(70)]; // biome-ignore format: a table

function value(random: Random, depth: number): string {
  const kind = random(depth > 3 ? 5 : 8);
  if (kind < 3) return `"${pick(random, STRINGS)}"`;
  if (kind === 3) return number(random);
  if (kind === 4) return pick(random, ['true', 'false', 'null', '-0.5e-3', '[]', '{}']);
  if (kind === 5 && random(3) === 0) return numbers(random);
  if (kind === 5) return `[${Array.from({ length: random(4) }, () => value(random, depth + 1)).join(',')}]`;
  return object(random, depth + 1);
}

/** As embeddings have them, short and long. */
function numbers(random: Random): string {
  const count = pick(random, [1, 3, 40]);
  return `[${Array.from({ length: count }, () => pick(random, ['0.12345', '-1.5e-7', '3', '0', '-0.00000001'])).join(pick(random, [',', ', ', ',\n ']))}]`;
}

function object(random: Random, depth: number): string {
  const members: string[] = [];
  const gap = pick(random, ['', '', '', ' ', '\n', '\n  ', ' \t']);
  for (let count = random(5); count > 0; count--) {
    const kind = random(9);
    if (kind < 2) members.push(`"usage"${gap}:${gap}${usage(random)}`);
    else if (kind === 2) members.push(`"type":${gap}"${pick(random, TYPES)}"`);
    else if (kind === 3) members.push(`"response":${gap}${value(random, depth)}`);
    else if (kind === 4) members.push(`"message":${value(random, depth)}`);
    else
      members.push(
        `"${pick(random, ['id', 'choices', 'delta', 'us\\u0061ge', 'usage ', 'USAGE', ...STRINGS])}":${value(random, depth)}`,
      );
  }
  return `{${gap}${members.join(`,${gap}`)}${gap}}`;
}

const FINISHES = ['null', '"stop"', '"tool_calls"', '""', '"nul"', 'nullx', ' null'];
const ERRORS = ['null', '{}', '""', '"text"', '{"code":"rate_limit"}', '{"type":"overloaded_error","message":"a \\"code\\": 1"}',
  '{"code":429,"type":"t"}', '{"code":"has blanks in it"}', '{"code":null,"type":"x"}', 'false', '[1]']; // biome-ignore format: a table

/** An event the format's providers send, so that the interesting paths are not left to chance. */
function likely(random: Random): string {
  switch (random(11)) {
    case 5:
      return `{"choices":[{"delta":{},"finish_reason": ${pick(random, FINISHES)}}],"usage":null}`;
    case 6:
      return `{"choices":[{"finish_reason":${pick(random, FINISHES)}},{"index":1,"finish_reason":${pick(random, FINISHES)}}]}`;
    case 7:
      return `{"object":"${pick(random, ['error', 'chunk'])}","code":7,"error":${pick(random, ERRORS)}}`;
    case 8:
      return `{"type":"${pick(random, ['error', 'response.failed'])}","error":${pick(random, ERRORS)},"response":{"error":${pick(random, ERRORS)}}}`;
    case 9:
      return `{"type":"message_delta","delta":{"stop_reason":${pick(random, FINISHES)}},"usage":${usage(random)}}`;
    case 0:
      return `{"id":"a","choices":[],"usage":${usage(random)}}`;
    case 1:
      return `{"type":"${pick(random, TYPES)}","response":{"output":[${value(random, 2)}],"usage":${usage(random)}}}`;
    case 2:
      return `{"type":"message_start","message":{"id":"m","usage":${usage(random)}}}`;
    case 3:
      return `{"type":"message_delta","delta":${value(random, 2)},"usage":${usage(random)}}`;
    case 4:
      return '{"id":"a","choices":[{"delta":{"content":"hi"}}],"usage":null}';
    default:
      return `{"choices":[{"delta":{"content":"${pick(random, STRINGS)}"}}]}`;
  }
}

function document(random: Random): string {
  const kind = random(20);
  if (kind < 9) return likely(random);
  if (kind < 15) return object(random, 0);
  if (kind === 15) return pick(random, ['[DONE]', '[DONE] ', ' [DONE]', '[DONE', '[DONE]\n', '\n[DONE]', '[DO\nNE]']);
  if (kind === 16)
    return pick(random, [
      '',
      ' ',
      '[]',
      '1',
      '"usage"',
      'null',
      '{',
      '}',
      '{"usage":{"prompt_tokens":1}}}',
      '\uFEFF{}',
    ]);
  const whole = likely(random);
  if (kind === 17) return whole.slice(0, random(whole.length));
  if (kind === 18) return `${whole}${pick(random, [' ', '\n', 'x', ',', '{}'])}`;
  return `${pick(random, [' ', '\n', 'x'])}${whole}`;
}

function stream(random: Random): Uint8Array {
  const ends = pick(random, [['\n'], ['\n'], ['\n'], ['\r\n'], ['\r'], ['\n', '\r\n', '\r']]);
  const end = () => pick(random, ends);
  let text = random(20) === 0 ? '\uFEFF' : '';
  for (let events = random(6); events >= 0; events--) {
    if (random(8) === 0)
      text += `${pick(random, [':', ': ping', ':data: {"usage":{"prompt_tokens":3}}', '\uFEFF:'])}${end()}`;
    if (random(3) === 0) text += `event:${pick(random, ['', ' ', '  '])}${pick(random, TYPES)}${end()}`;
    if (random(12) === 0)
      text += `${pick(random, ['id: 4', 'retry: 10', 'event', 'data', 'dat: x', 'datax: y', 'data : {}', 'foo'])}${end()}`;
    if (random(15) !== 0) {
      for (const line of document(random).split('\n'))
        text += `data:${pick(random, ['', ' ', ' ', ' '])}${line}${end()}`;
    }
    if (random(25) === 0) text += `event: ${pick(random, TYPES)}${end()}`;
    text += end();
    if (random(10) === 0) text += end();
  }
  const bytes = encoder.encode(text);
  return random(4) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
}

function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  const result = Array.from(bytes);
  for (let count = 1 + random(4); count > 0; count--) {
    const at = random(result.length + 1);
    const byte = random(3) === 0 ? random(256) : pick(random, Array.from(encoder.encode('"\\{}[]:,\n\r dtn0-e')));
    const kind = random(3);
    if (kind === 0) result.splice(at, 1);
    else if (kind === 1) result.splice(at, 0, byte);
    else if (at < result.length) result[at] = byte;
  }
  return Uint8Array.from(result);
}

/** Reads of any size, of one byte, or ending with an event, which is what the fast path is for. */
function reads(random: Random, bytes: Uint8Array): Uint8Array[] {
  const kind = random(6);
  if (kind === 0) return [bytes];
  const result: Uint8Array[] = [];
  let from = 0;
  while (from < bytes.length) {
    let to = from + 1;
    if (kind === 1) to = from + 1 + random(7);
    if (kind === 2) to = from + 1 + random(200);
    if (kind >= 3) {
      while (
        to < bytes.length &&
        !(isLineEnd(bytes[to - 1]) && isLineEnd(bytes[to - 2]) && (kind < 5 || random(3) > 0))
      )
        to++;
    }
    result.push(bytes.subarray(from, to));
    from = to;
  }
  return result;
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === 0x0a || byte === 0x0d;
}

function metered(format: FormatName, chunks: Uint8Array[]) {
  const meter = new Meter(FORMATS[format], 'sse');
  for (const chunk of chunks) meter.push(chunk);
  const { sawTerminalEvent, atEventBoundary, contentEnded, errorCode } = meter;
  const usageIsFinal = format === 'opaque' || meter.usageIsFinal;
  // Closed, so that the next stream is read by what this one used.
  return { usage: meter.close(), usageIsFinal, sawTerminalEvent, contentEnded, errorCode, atEventBoundary };
}

function slowly(format: FormatName, chunks: Uint8Array[]) {
  const events = new EventInterpreter(FORMATS[format]);
  for (const chunk of chunks) events.scanner.push(chunk, 0, false);
  const { usage, isFinal } = events.usage();
  const { sawTerminal, contentEnded, errorCode } = events.facts;
  return {
    usage,
    usageIsFinal: isFinal,
    sawTerminalEvent: sawTerminal,
    contentEnded,
    errorCode,
    atEventBoundary: events.scanner.atBoundary,
  };
}

/** Runs the cases; the report of a failure is enough to repeat it alone. */
function fuzz(
  cases: number,
  salt: number,
  run: (random: Random) => { found: unknown; expected: unknown; input: Uint8Array },
): void {
  for (let index = 0; index < cases; index++) {
    const seed = (SEED + salt + index) >>> 0;
    const { found, expected, input } = run(randomFrom(seed));
    if (Bun.deepEquals(found, expected)) continue;
    console.error(
      `FUZZ_SEED=${seed - salt} FUZZ_CASES=1 repeats it; input: ${JSON.stringify(new TextDecoder().decode(input))}`,
    );
    expect(found).toEqual(expected);
  }
}

describe(`meter fuzz, FUZZ_SEED=${SEED} FUZZ_CASES=${CASES}`, () => {
  test('generated event streams in random reads give what the oracle finds', () => {
    fuzz(CASES, 0, (random) => {
      const format = pick(random, NAMES);
      const input = stream(random);
      return { found: metered(format, reads(random, input)), expected: findInEvents(format, input), input };
    });
  }, 600_000);

  test('mutated event streams never throw and give what the oracle finds', () => {
    fuzz(Math.ceil(CASES / 4), 1_000_000_007, (random) => {
      const format = pick(random, NAMES);
      const input = mutated(random, stream(random));
      return { found: metered(format, reads(random, input)), expected: findInEvents(format, input), input };
    });
  }, 600_000);

  test('the fast path gives what the slow path gives', () => {
    fuzz(Math.ceil(CASES / 4), 2_000_000_011, (random) => {
      const format = pick(random, NAMES);
      const parts: Uint8Array[] = [];
      for (let count = 1 + random(4); count > 0; count--)
        parts.push(random(5) === 0 ? mutated(random, stream(random)) : stream(random));
      const input: Uint8Array = Buffer.concat(parts);
      return { found: metered(format, reads(random, input)), expected: slowly(format, reads(random, input)), input };
    });
  }, 600_000);

  test('JSON bodies, whole, cut or mutated, give what the oracle finds', () => {
    fuzz(Math.ceil(CASES / 4), 3_000_000_019, (random) => {
      const format = pick(random, NAMES);
      let input: Uint8Array = encoder.encode(document(random));
      if (random(4) === 0) input = mutated(random, input);
      const meter = new Meter(FORMATS[format], 'json');
      for (const chunk of reads(random, input)) meter.push(chunk);
      return { found: meter.usage(), expected: findInDocument(format, input), input };
    });
  }, 600_000);

  test('random bytes never throw', () => {
    fuzz(Math.ceil(CASES / 20), 4_000_000_007, (random) => {
      const input = Uint8Array.from({ length: random(400) }, () => random(256));
      const format = pick(random, NAMES);
      return { found: metered(format, reads(random, input)), expected: findInEvents(format, input), input };
    });
  }, 600_000);
});
