import { describe, expect, test } from 'bun:test';
import { brief, CONTENT, DONE, event, FAKE, metered, usageOf } from './metered.ts';

const encoder = new TextEncoder();

describe('chat usage', () => {
  const CASES: [name: string, text: string, usage: string | null][] = [
    [
      'is read from the final event',
      CONTENT + event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 } }) + DONE,
      '3+4=7',
    ],
    [
      'is the last one when each event has one',
      event({ usage: { prompt_tokens: 3, completion_tokens: 1 } }) +
        event({ usage: { prompt_tokens: 3, completion_tokens: 2 } }),
      '3+2=5',
    ],
    [
      'replaces as a whole, it does not mix',
      event({ usage: { prompt_tokens: 3, total_tokens: 9 } }) + event({ usage: { completion_tokens: 2 } }),
      'null+2=null',
    ],
    [
      'is not taken back by null',
      event({ usage: { prompt_tokens: 3, completion_tokens: 1 } }) + event({ usage: null }) + DONE,
      '3+1=4',
    ],
    [
      'is not taken back by an object that reports nothing',
      event({ usage: { prompt_tokens: 3, completion_tokens: 1 } }) + event({ usage: {} }) + event({ usage: [] }),
      '3+1=4',
    ],
    ['is nothing when nothing was reported', CONTENT + event({ usage: null }) + event({ usage: {} }) + DONE, null],
    [
      "keeps upstream's total",
      event({ usage: { prompt_tokens: 307, completion_tokens: 26, total_tokens: 560 } }),
      '307+26=560',
    ],
    ['takes a zero as a zero', event({ usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } }), '0+0=0'],
    ['adds up when there is no total', event({ usage: { prompt_tokens: 3, completion_tokens: 4 } }), '3+4=7'],
    ['leaves unknown what is not given', event({ usage: { prompt_tokens: 3 } }), '3+null=null'],
    [
      'is read from pretty-printed data in many lines',
      `data: ${JSON.stringify({ id: 'a', usage: { prompt_tokens: 3, completion_tokens: 4 } }, null, 2).replaceAll('\n', '\ndata: ')}\n\n`,
      '3+4=7',
    ],
    [
      'is read behind any white space',
      event('{"usage" \t: \t{ "prompt_tokens" :\t3 , "completion_tokens": 4 } }'),
      '3+4=7',
    ],
    [
      'is not read inside a string',
      event({ choices: [{ delta: { content: `"usage":${JSON.stringify(FAKE)}` } }] }),
      null,
    ],
    [
      'is not read inside a long string',
      event({ content: `${'x'.repeat(1000)}"usage":${JSON.stringify(FAKE)}${'\\"'.repeat(500)}` }),
      null,
    ],
    [
      'is not read below the top',
      event({
        choices: [{ usage: FAKE }],
        x: { usage: FAKE },
        x_groq: { id: 'r', usage: FAKE },
        response: { usage: FAKE },
      }),
      null,
    ],
    [
      'is not read from a schema with a property of that name',
      event({ tools: [{ parameters: { properties: { usage: FAKE } } }] }),
      null,
    ],
    ['is not read from an array', event([{ usage: FAKE }]) + event({ usage: [FAKE] }), null],
    [
      'counts are not read below usage',
      event({ usage: { details: { prompt_tokens: 999 }, prompt_tokens: 3, list: [{ completion_tokens: 999 }] } }),
      '3+null=null',
    ],
    [
      'is not read from a comment or an unknown field',
      `: {"usage":${JSON.stringify(FAKE)}}\n\nid: {"usage":${JSON.stringify(FAKE)}}\n\n`,
      null,
    ],
    ['is not read from a key spelled with escapes', event('{"\\u0075sage":{"prompt_tokens":999}}'), null],
    [
      'is not read from a quote spelled with escapes',
      event('{"a":"\\u0022,\\u0022usage\\u0022:{\\u0022prompt_tokens\\u0022:999}"}'),
      null,
    ],
    [
      'is not fooled by a backslash before the quote',
      event('{"a":"\\\\","usage":{"prompt_tokens":3},"b":"\\\\\\",\\"usage\\":{"}'),
      '3+null=null',
    ],
    [
      'is that of the last of equal keys, as for JSON.parse',
      event('{"usage":{"prompt_tokens":1,"prompt_tokens":2},"usage":{"prompt_tokens":3,"prompt_tokens":4}}') +
        event('{"usage":{"prompt_tokens":5},"usage":null}'),
      '4+null=null',
    ],
    [
      'of invalid JSON is nothing',
      [
        '{"usage":{"prompt_tokens":1}',
        '{"usage":{"prompt_tokens":1}}}',
        '{"usage":{"prompt_tokens":1},}',
        '{"usage":{"prompt_tokens":1}} x',
        'x{"usage":{"prompt_tokens":1}}',
        '{"usage":{"prompt_tokens":01}}',
        '{\'usage\':{"prompt_tokens":1}}',
        '{"usage":{"prompt_tokens":1 2}}',
        '{"usage":{"prompt_tokens":1},"a":tru}',
        '{"usage":{"prompt_tokens":1]}',
      ]
        .map(event)
        .join(''),
      null,
    ],
    ['of a cut event is nothing', `${CONTENT}data: {"usage":{"prompt_tokens":3,"completion_tokens":4}`, null],
    [
      'of a whole event that lacks only its line ends counts',
      `${CONTENT}data: {"usage":{"prompt_tokens":3,"completion_tokens":4}}`,
      '3+4=7',
    ],
    ['of an event that goes on to be invalid is nothing', 'data: {"usage":{"prompt_tokens":3}}\ndata: {}\n\n', null],
    [
      'is read beyond 16 kB of other members',
      event({
        usage: { note: 'n'.repeat(20_000), list: Array(9_000).fill(1), prompt_tokens: 3, completion_tokens: 4 },
      }),
      '3+4=7',
    ],
  ];
  for (const [name, text, usage] of CASES) {
    test(name, () => {
      expect(usageOf('chat', 'sse', text)).toBe(usage);
      expect(usageOf('chat', 'sse', text.replaceAll('\n', '\r\n'))).toBe(usage);
      expect(usageOf('chat', 'sse', text.replaceAll('\n', '\r'))).toBe(usage);
      expect(usageOf('chat', 'sse', `\uFEFF: hello\n${text.replaceAll('\n\n', '\n\n: bye\n\n')}`)).toBe(usage);
    });
  }

  const NUMBERS: [literal: string, count: number | null][] = [
    ['0', 0],
    ['-0', 0],
    ['12.0', 12],
    ['1.2e1', 12],
    ['120E-1', 12],
    ['9007199254740991', 9_007_199_254_740_991],
    ['9007199254740992', null],
    ['1e400', null],
    ['-1', null],
    ['1.5', null],
    ['"12"', 12],
    ['"0"', 0],
    ['"9007199254740993"', null],
    ['"12.0"', null],
    ['"-1"', null],
    ['" 12"', null],
    ['"1e3"', null],
    ['""', null],
    ['"\\u0031"', null],
    ['true', null],
    ['null', null],
    ['{}', null],
    ['[12]', null],
    [`0.${'0'.repeat(100)}`, null], // valid, but beyond the buffer: unknown rather than guessed
  ];
  for (const [literal, count] of NUMBERS) {
    test(`a count of ${literal.slice(0, 20)} is ${count === null ? 'unknown' : count}`, () => {
      const text = `{"usage":{"prompt_tokens":${literal},"completion_tokens":1}}`;
      expect(metered('chat', 'json', text).usage()?.promptTokens).toBe(count);
      expect(metered('chat', 'sse', event(text), 1).usage()?.promptTokens).toBe(count);
    });
  }

  test('a sum beyond the safe integers is unknown', () => {
    const text = '{"usage":{"prompt_tokens":9007199254740991,"completion_tokens":1}}';
    expect(usageOf('chat', 'json', text)).toBe('9007199254740991+1=null');
  });
});

describe('responses usage', () => {
  const usage = { input_tokens: 3, output_tokens: 4, total_tokens: 8 };
  test('is read from response.usage of an event of type response.*, by its name or its data', () => {
    const data = {
      type: 'response.completed',
      response: { id: 'r', output: [{ usage: FAKE }], usage, tools: [{ usage: FAKE }] },
    };
    expect(usageOf('responses', 'sse', event(data))).toBe('3+4=8');
    expect(usageOf('responses', 'sse', `event: response.completed\n${event({ response: data.response })}`)).toBe(
      '3+4=8',
    );
    expect(usageOf('responses', 'sse', event({ response: { usage }, type: 'response.incomplete' }))).toBe('3+4=8');
  });

  test('is read from nothing else in a stream', () => {
    expect(usageOf('responses', 'sse', event({ type: 'error', response: { usage } }))).toBeNull();
    expect(usageOf('responses', 'sse', event({ type: ['response.completed'], response: { usage } }))).toBeNull();
    expect(usageOf('responses', 'sse', event({ type: 'response.completed', usage }))).toBeNull();
    expect(
      usageOf(
        'responses',
        'sse',
        event({ type: 'response.completed', response: [{ usage }], x: { response: { usage } } }),
      ),
    ).toBeNull();
    expect(
      usageOf(
        'responses',
        'sse',
        event('{"type":"response.created","response":{"usage":{"input_tokens":1}},"response":{}}'),
      ),
    ).toBeNull();
  });

  test('is read from the top of a JSON body', () => {
    expect(
      usageOf(
        'responses',
        'json',
        JSON.stringify({ response: { usage: FAKE }, output: [{ usage: FAKE }], usage }, null, 2),
      ),
    ).toBe('3+4=8');
  });
});

describe('messages usage', () => {
  const start = (usage: unknown) => event({ type: 'message_start', message: { id: 'm', usage } });
  const delta = (usage: unknown) => event({ type: 'message_delta', delta: { stop_reason: null }, usage });
  const CASES: [name: string, text: string, usage: string | null][] = [
    [
      'is message_start overlaid by message_delta',
      start({ input_tokens: 10, output_tokens: 1 }) + delta({ output_tokens: 30 }),
      '10+30=40',
    ],
    [
      'counts what was read from and written to the cache',
      start({ input_tokens: 10, cache_read_input_tokens: 100, cache_creation_input_tokens: 1000, output_tokens: 1 }) +
        delta({ output_tokens: 30 }),
      '1110+30=1140',
    ],
    [
      'is cumulative over several deltas, each with some of it',
      start({ input_tokens: 10, output_tokens: 1 }) +
        delta({ input_tokens: 20, output_tokens: 5 }) +
        delta({ output_tokens: 30 }),
      '20+30=50',
    ],
    [
      'keeps what a delta leaves out or gives as null',
      start({ input_tokens: 10, cache_read_input_tokens: 5, output_tokens: 1 }) +
        delta({ input_tokens: null, output_tokens: 30 }),
      '15+30=45',
    ],
    [
      'is that of message_start when the stream breaks before a delta',
      start({ input_tokens: 10, output_tokens: 1 }),
      '10+1=11',
    ],
    [
      'is unknown in part when a part of the prompt is no count',
      start({ input_tokens: 10, cache_read_input_tokens: 'x', output_tokens: 1 }),
      'null+1=null',
    ],
    [
      'without input_tokens has an unknown prompt',
      start({ cache_read_input_tokens: 5, output_tokens: 1 }),
      'null+1=null',
    ],
    [
      'is read from no other event',
      event({ type: 'content_block_delta', usage: FAKE, message: { usage: FAKE } }) +
        event({ type: 'message_start', usage: FAKE }) +
        event({ type: 'message_delta', message: { usage: FAKE }, delta: { usage: FAKE } }),
      null,
    ],
    [
      'goes by the event field as well',
      `event: message_start\n${event({ message: { usage: { input_tokens: 10, output_tokens: 1 } } })}event: message_delta\n${event({ usage: { output_tokens: 30 } })}`,
      '10+30=40',
    ],
  ];
  for (const [name, text, usage] of CASES) test(name, () => expect(usageOf('messages', 'sse', text)).toBe(usage));

  test('is read from the top of a JSON body', () => {
    expect(
      usageOf(
        'messages',
        'json',
        JSON.stringify({
          message: { usage: FAKE },
          usage: { input_tokens: 1, cache_read_input_tokens: 2, output_tokens: 3 },
        }),
      ),
    ).toBe('3+3=6');
  });
});

describe('JSON bodies', () => {
  test('embeddings report no completion', () => {
    const text = JSON.stringify({
      data: [{ embedding: [0.1, -2.5e-3, 1] }],
      usage: { prompt_tokens: 8, total_tokens: 8 },
    });
    expect(usageOf('chat', 'json', text)).toBe('8+null=8');
  });

  test('a body cut anywhere reports nothing', () => {
    const bytes = encoder.encode(
      JSON.stringify({ id: 'a', usage: { prompt_tokens: 8, completion_tokens: 1 }, x: [true, 'y'] }, null, 1),
    );
    for (let cut = 0; cut < bytes.length; cut++)
      expect(metered('chat', 'json', bytes.subarray(0, cut)).usage()).toBeNull();
    expect(brief(metered('chat', 'json', bytes).usage())).toBe('8+1=9');
  });

  test('white space around the document is no matter, anything else is', () => {
    const text = '{"usage":{"prompt_tokens":8,"completion_tokens":1}}';
    expect(usageOf('chat', 'json', ` \r\n\t${text}\n`)).toBe('8+1=9');
    expect(usageOf('chat', 'json', `${text}${text}`)).toBeNull();
  });

  test('depth bombs neither throw nor report', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
      ['{"usage":', '}'],
      ['{"response":', '}'],
    ] as const) {
      const bomb = open.repeat(100_000);
      expect(usageOf('chat', 'json', bomb)).toBeNull();
      expect(usageOf('chat', 'json', `{"usage":{"prompt_tokens":1},"a":${bomb}1${close.repeat(100_000)}}`)).toBeNull();
      expect(
        usageOf(
          'responses',
          'sse',
          event(bomb) + event({ type: 'response.created', response: { usage: { input_tokens: 1 } } }),
        ),
      ).toBe('1+null=null');
    }
    // 512 open containers, the root among them, are the most that is read.
    const nested = (depth: number) => `{"a":${'['.repeat(depth)}${']'.repeat(depth)},"usage":{"prompt_tokens":1}}`;
    expect(usageOf('chat', 'json', nested(511))).toBe('1+null=null');
    expect(usageOf('chat', 'json', nested(512))).toBeNull();
  });
});

describe('cached and reasoning tokens', () => {
  const detailsOf = (format: 'chat' | 'responses' | 'messages', text: string) => {
    const [whole, ...split] = [undefined, 1, 7].map((size) =>
      metered(format, text.startsWith('{') ? 'json' : 'sse', text, size).close(),
    );
    for (const usage of split) expect(usage).toEqual(whole!);
    return [whole?.cachedTokens, whole?.reasoningTokens];
  };

  test('are read from the details of a chat answer', () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 20,
      prompt_tokens_details: { audio_tokens: 1, cached_tokens: 4, details: { cached_tokens: 999 } },
      completion_tokens_details: { reasoning_tokens: 7, cached_tokens: 999 },
      input_tokens_details: { cached_tokens: 999 },
    };
    expect(detailsOf('chat', event({ choices: [], usage }) + DONE)).toEqual([4, 7]);
    expect(detailsOf('chat', JSON.stringify({ usage }, null, 2))).toEqual([4, 7]);
  });

  test('are read from the details of a Responses answer', () => {
    const usage = {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 4 },
      output_tokens: 20,
      output_tokens_details: { reasoning_tokens: '7' },
      prompt_tokens_details: { cached_tokens: 999 },
    };
    expect(detailsOf('responses', event({ type: 'response.completed', response: { usage } }))).toEqual([4, 7]);
    expect(detailsOf('responses', JSON.stringify({ usage }))).toEqual([4, 7]);
  });

  test('of a Messages answer are what was read from the cache', () => {
    const start = { input_tokens: 1, cache_read_input_tokens: 40, cache_creation_input_tokens: 5, output_tokens: 1 };
    const text = event({ type: 'message_start', message: { usage: start } });
    const delta = event({ type: 'message_delta', usage: { output_tokens: 9 } });
    expect(detailsOf('messages', text + delta)).toEqual([40, null]);
    expect(metered('messages', 'sse', text + delta).close()).toMatchObject({ promptTokens: 46, totalTokens: 55 });
  });

  test('are a zero when they are given as one, else unknown', () => {
    const usage = (details: unknown) => JSON.stringify({ usage: { prompt_tokens: 1, prompt_tokens_details: details } });
    expect(detailsOf('chat', usage({ cached_tokens: 0 }))).toEqual([0, null]);
    for (const details of [
      null,
      {},
      [],
      5,
      'x',
      [{ cached_tokens: 4 }],
      { cached_tokens: null },
      { cached_tokens: -1 },
    ]) {
      expect(detailsOf('chat', usage(details))).toEqual([null, null]);
    }
    const twice =
      '{"usage":{"prompt_tokens":1,"prompt_tokens_details":{"cached_tokens":4},"prompt_tokens_details":{}}}';
    expect(detailsOf('chat', twice)).toEqual([null, null]);
  });

  test('alone report no usage', () => {
    expect(metered('chat', 'json', '{"usage":{"prompt_tokens_details":{"cached_tokens":4}}}').close()).toBeNull();
  });
});

describe('the stream of a run', () => {
  test('is metered by the run that is over, not by its steps', () => {
    const step = {
      id: 's',
      object: 'thread.run.step',
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    };
    const run = {
      id: 'r',
      object: 'thread.run',
      usage: { prompt_tokens: 10, completion_tokens: 20, total_tokens: 30 },
    };
    const text = `event: thread.run.created\n${event({ id: 'r', object: 'thread.run', usage: null })}event: thread.run.step.completed\n${event(step)}event: thread.run.completed\n${event(run)}event: done\n${DONE}`;
    expect(usageOf('chat', 'sse', text)).toBe('10+20=30');
  });
});

describe('a byte order mark', () => {
  test('before a JSON answer is passed', () => {
    expect(
      usageOf('chat', 'json', '\ufeff{"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}'),
    ).toBe('11+7=18');
    expect(usageOf('chat', 'json', '\ufeff\ufeff{"usage":{"prompt_tokens":11}}')).toBeNull();
  });
});
