import { describe, expect, test } from 'bun:test';
import { GatewayError } from '../../src/errors.ts';
import { type BodyFields, parseObject, readFields } from '../../src/http/body-fields.ts';
import { pick, type Random, randomFrom } from '../support/random.ts';

const bytesOf = (json: string | Uint8Array) => (typeof json === 'string' ? new TextEncoder().encode(json) : json);

/** What is read at once; a long body is another test's. */
function fieldsOf(json: string | Uint8Array): Pick<BodyFields, 'model' | 'stream'> {
  const fields = readFields(bytesOf(json));
  if (fields instanceof Promise) throw new Error('a promise for a short body');
  const { model, stream } = fields;
  return { model, stream };
}

function refusalOf(json: string | Uint8Array, read: (body: Uint8Array) => unknown = fieldsOf): GatewayError {
  try {
    read(bytesOf(json));
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('readFields', () => {
  test.each([
    ['{}', { model: null, stream: false }],
    ['{"model":"gpt-4o"}', { model: 'gpt-4o', stream: false }],
    ['{"model":"gpt-4o","stream":true}', { model: 'gpt-4o', stream: true }],
    ['{"stream":false}', { model: null, stream: false }],
    ['{"stream":null}', { model: null, stream: false }],
    ['{"model":""}', { model: '', stream: false }],
    [' \r\n\t{"model":"caf\u00e9 \u{1f30d}"}\n', { model: 'caf\u00e9 \u{1f30d}', stream: false }],
    ['{"mod\\u0065l":"escaped"}', { model: 'escaped', stream: false }],
    [
      '{"\\u006d\\u006F\\u0064\\u0065\\u006c":"a\\u002fb\\n\\ud83d\\ude00"}',
      { model: 'a/b\n\u{1f600}', stream: false },
    ],
    ['{"messages":[{"model":7,"stream":"x"}],"stream_options":{"include_usage":true}}', { model: null, stream: false }],
    ['{"stream_options":{"model":"x","stream":true,"Model":"y","model":"z"}}', { model: null, stream: false }],
    ['{"__proto__":{"model":"x","stream":true}}', { model: null, stream: false }],
    ['{"Model":"x","STREAM":true}', { model: null, stream: false }],
    ['{"model ":"x","mode":"y","models":["z"],"model\\u0000":"","stream_":true}', { model: null, stream: false }],
    ['\ufeff{"model":"m","stream":true}', { model: 'm', stream: true }],
    ['{"model":"\ufeffm"}', { model: '\ufeffm', stream: false }],
  ] as const)('%s', (json, expected) => {
    expect(fieldsOf(json)).toEqual(expected);
  });

  test.each([
    ['{"model":7}', "Invalid type for 'model': expected a string, got a number"],
    ['{"model":null}', "Invalid type for 'model': expected a string, got null"],
    ['{"model":true}', "Invalid type for 'model': expected a string, got a boolean"],
    ['{"model":["gpt-4o"]}', "Invalid type for 'model': expected a string, got an array"],
    ['{"model":{"name":"x"}}', "Invalid type for 'model': expected a string, got an object"],
    ['{"stream":"true"}', "Invalid type for 'stream': expected a boolean, got a string"],
    ['{"stream":1}', "Invalid type for 'stream': expected a boolean, got a number"],
    ['{"stream":[]}', "Invalid type for 'stream': expected a boolean, got an array"],
  ])('%s is refused by name, without its value', (json, message) => {
    const error = refusalOf(json);
    expect([error.code, error.status, error.message]).toEqual(['invalid_request', 400, message]);
  });

  test.each([
    ['{"model":"a","model":"a"}', 'model'],
    ['{"model":"a","Model":"b"}', 'model'],
    ['{"MODEL":"a","x":[],"model":"b"}', 'model'],
    ['{"MODEL":"a","Model":"b"}', 'model'],
    ['{"model":"a","mod\\u0065l":"b"}', 'model'],
    ['{"model":"a","\\u004dodel":"b"}', 'model'],
    ['{"stream":true,"stream":true}', 'stream'],
    ['{"stream":true,"Stream":false}', 'stream'],
    // Go's encoding/json takes these for an s.
    ['{"stream":true,"\u017ftream":false}', 'stream'],
    ['{"stream":true,"\\u017ftream":false}', 'stream'],
  ])('%s is refused: two parsers could read it differently', (json, field) => {
    const error = refusalOf(json);
    expect([error.code, error.status]).toEqual(['invalid_request', 400]);
    expect(error.message).toContain(`'${field}'`);
  });

  test.each([
    '',
    ' ',
    '{',
    '{"model":"x"',
    '{"model":"x"}}',
    "{'model':'x'}",
    '{"a":NaN}',
    '{"a":01}',
    '{"a":1,}',
    'model=x',
    '\u00a0{}',
    '\ufeff',
    '\ufeff\ufeff{}',
    '{"a":"\n"}',
    '{"a":"\\x"}',
    '{"a":"\\u12"}',
  ])('%j is no JSON', (json) => {
    const error = refusalOf(json);
    expect([error.code, error.status, error.message]).toEqual([
      'invalid_json',
      400,
      'The request body is not valid JSON',
    ]);
  });

  test.each(['null', '[]', '[{"model":"x"}]', '"text"', '7', 'true'])('%s is no JSON object', (json) => {
    const error = refusalOf(json);
    expect([error.code, error.message]).toEqual(['invalid_json', 'The request body must be a JSON object']);
  });

  test('bytes that are no UTF-8 are no JSON', () => {
    const latin1 = Buffer.from('{"model":"caf\u00e9"}', 'latin1');
    const overlong = Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]);
    const surrogate = Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]);
    const utf16 = Buffer.from('{"model":"x"}', 'utf16le');
    for (const bytes of [latin1, overlong, surrogate, utf16]) expect(refusalOf(bytes).code).toBe('invalid_json');
  });

  test('512 open containers are taken, the root among them, one more is not', () => {
    const nested = (open: string, close: string, depth: number) =>
      `{"a":${open.repeat(depth - 1)}1${close.repeat(depth - 1)},"model":"m"}`;
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      expect(fieldsOf(nested(open, close, 512)).model).toBe('m');
      for (const body of [nested(open, close, 513), `{"a":${open.repeat(5000)}`, open.repeat(5000)]) {
        const error = refusalOf(body);
        expect([error.code, error.message]).toEqual(['invalid_json', 'Body is nested deeper than 512']);
      }
    }
  });

  test('what was refused is not in the message', () => {
    expect(refusalOf('{"model":{"secret":"prompt text"}}').message).not.toContain('prompt');
    expect(refusalOf('secret prompt text').message).not.toContain('prompt');
  });

  test('of a very long name the beginning is read, however it is spelled', () => {
    for (const [written, read] of [
      ['x', 'x'],
      ['\\u0078', 'x'],
      ['\\n', '\n'],
      ['\u20ac', '\u20ac'],
      ['\u{1f30d}', '\u{1f30d}'],
      ['a\\ud83c\\udf0d', 'a\u{1f30d}'],
    ] as const) {
      const { model } = fieldsOf(`{"model":"${written.repeat(5000)}"}`);
      expect(read.repeat(5000).startsWith(model!)).toBeTrue();
      expect(model!.length).toBeWithin(256, 4100);
    }
  });
});

describe('a body of more than 64 kB', () => {
  const fill = (text: string, bytes: number) => text.repeat(Math.ceil(bytes / text.length));

  test('is read as a short one is', async () => {
    for (const [json, expected] of [
      [`{"a":"${fill('x', 300_000)}","model":"m","stream":true}`, { model: 'm', stream: true }],
      [`{"model":"m","a":[${fill('{},', 300_000)}{}],"stream":true}`, { model: 'm', stream: true }],
      [`\ufeff{"a":"${fill('\u20ac', 100_000)}\u{1f30d}","model":"\u{1f30d}"}`, { model: '\u{1f30d}', stream: false }],
      [`${fill(' ', 200_000)}{"model":"m"}${fill('\n', 200_000)}`, { model: 'm', stream: false }],
    ] as const) {
      const read = readFields(bytesOf(json));
      expect(read).toBeInstanceOf(Promise);
      expect(await read).toMatchObject(expected);
    }
  });

  test('is refused as a short one is', async () => {
    for (const [json, message] of [
      [`{"a":"${fill('x', 300_000)}"`, 'The request body is not valid JSON'],
      [`{"a":"${fill('x', 300_000)}\n"}`, 'The request body is not valid JSON'],
      [`[${fill('1,', 300_000)}1]`, 'The request body must be a JSON object'],
      [`{"a":${fill('[', 300_000)}`, 'Body is nested deeper than 512'],
      [`{"model":"m","a":"${fill('x', 300_000)}","Model":"m"}`, /'model'/],
      [`{"a":"${fill('x', 300_000)}","stream":1}`, /'stream'/],
    ] as const) {
      await expect(async () => readFields(bytesOf(json))).toThrow(message);
    }
  });

  test('is checked for UTF-8 wherever a piece of it ends', async () => {
    // The pieces have 64 kB; what follows is cut at each of its bytes in turn.
    for (let shift = 0; shift < 8; shift++) {
      const text = `${' '.repeat(65_530 + shift)}{"model":"\u{1f30d}\u20ac\u00e9","a":"${fill('\u{1f30d}', 70_000)}"}`;
      expect(await readFields(bytesOf(text))).toMatchObject({ model: '\u{1f30d}\u20ac\u00e9' });
      const broken = bytesOf(text);
      broken[65_536] = 0xff;
      await expect(async () => readFields(broken)).toThrow('not valid JSON');
    }
  });
});

describe('a body of 10 MB', () => {
  const BYTES = 10 * 1024 * 1024 - 100;
  const filled = (start: string, text: string, end: string) =>
    bytesOf(start + text.repeat(Math.floor((BYTES - start.length - end.length) / text.length)) + end);
  const EXPENSIVE: readonly [name: string, body: Uint8Array][] = [
    ['objects', filled('{"model":"m","a":[', '{},', '{}]}')],
    ['arrays', filled('{"model":"m","a":[', '[[[]]],', '[]]}')],
    ['names', filled('{"model":"m"', ',"name":0', '}')],
    ['numbers', filled('{"model":"m","a":[', '-1.5e3,', '0]}')],
    ['escapes', filled('{"model":"m","a":"', '\\u00e9', '"}')],
  ];

  // Turns of the loop and not milliseconds: they are as many on a busy machine.
  test.each(EXPENSIVE)('does not hold up the event loop: %s', async (_, body) => {
    let turns = 0;
    let over = false;
    const turn = () => {
      turns++;
      if (!over) setImmediate(turn);
    };
    setImmediate(turn);
    const fields = await Promise.all([readFields(body), readFields(body)]);
    over = true;
    expect(fields.map(({ model }) => model)).toEqual(['m', 'm']);
    // Two take 20 ms at the least, 1 ms at a time.
    expect(turns).toBeGreaterThan(10);
  });
});

describe('readFields and JSON.parse', () => {
  const SEED = Number(process.env.FUZZ_SEED ?? 20_240_601);

  const NAMES = [
    'model',
    'stream',
    'Model',
    'mod\\u0065l',
    '\\u0073tream',
    'sTREAM',
    'models',
    'n',
    '',
    'stream_options',
    'modelx',
    'mode',
  ];
  const VALUES = [
    '"m"',
    '"\\u006d"',
    '"caf\u00e9"',
    'true',
    'false',
    'null',
    '1',
    '[]',
    '{}',
    '[{"model":"x"}]',
    '{"stream":true,"model":1}',
  ];

  const body = (random: Random) => {
    const members = Array.from({ length: random(5) }, () => `"${pick(random, NAMES)}":${pick(random, VALUES)}`);
    return `{${members.join(',')}}`;
  };

  /** The slow and obvious way. */
  const expected = (json: string) => {
    const names = json.match(/(?<=[{,])"(?:[^"\\]|\\.)*"(?=:)/g) ?? [];
    let depth = 0;
    // Names at the top level only: those before which as many braces were opened as closed, but for the first.
    const top = names.filter((name, i) => {
      const before = json.slice(0, nth(json, name, names.slice(0, i + 1).filter((other) => other === name).length));
      depth = (before.match(/[{[]/g)?.length ?? 0) - (before.match(/[}\]]/g)?.length ?? 0);
      return depth === 1;
    });
    const lower = top.map((name) => (JSON.parse(name) as string).toLowerCase());
    if (lower.filter((name) => name === 'model').length > 1 || lower.filter((name) => name === 'stream').length > 1)
      return 'refused';
    const { model, stream } = JSON.parse(json) as { model?: unknown; stream?: unknown };
    if (model !== undefined && typeof model !== 'string') return 'refused';
    if (stream !== undefined && stream !== null && typeof stream !== 'boolean') return 'refused';
    return { model: model ?? null, stream: stream === true };
  };

  const nth = (text: string, part: string, count: number) => {
    let at = -1;
    for (let i = 0; i < count; i++) at = text.indexOf(`${part}:`, at + 1);
    return at;
  };

  test(`agree on ten thousand bodies, FUZZ_SEED=${SEED}`, () => {
    for (let index = 0; index < 10_000; index++) {
      const seed = (SEED + index) >>> 0;
      const json = body(randomFrom(seed));
      let found: unknown;
      try {
        found = fieldsOf(json);
      } catch {
        found = 'refused';
      }
      if (!Bun.deepEquals(found, expected(json))) console.error(`FUZZ_SEED=${seed}: ${json}`);
      expect(found).toEqual(expected(json));
    }
  });
});

describe('parseObject', () => {
  test('gives what JSON.parse gives', () => {
    expect(parseObject(bytesOf('\ufeff{"a":[1,{"b":"\\u00e9"}],"a":2}'))).toEqual({ a: 2 });
  });

  test.each(['[]', '{', '{"a":1,}', ''])('refuses %j', (json) =>
    expect(refusalOf(json, parseObject).code).toBe('invalid_json'),
  );

  test('refuses what is nested too deep before anything recurses into it', () => {
    for (const open of ['[', '{"a":']) {
      expect(refusalOf(`{"a":${open.repeat(60_000 / open.length)}`, parseObject).message).toBe(
        'Body is nested deeper than 512',
      );
    }
  });
});
