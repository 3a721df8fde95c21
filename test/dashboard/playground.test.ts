import { describe, expect, test } from 'bun:test';
import { codeSamples } from '../../src/dashboard/app/pages/playground/code-samples.ts';
import { readEvent } from '../../src/dashboard/app/pages/playground/event-content.ts';
import { bodyOf, type Prompt } from '../../src/dashboard/app/pages/playground/prompt.ts';

const PROMPT: Prompt = {
  api: 'chat',
  model: 'gpt-4o',
  system: '',
  text: `It's "quoted"\nand \\ more`,
  maxTokens: null,
};

describe('what the playground sends', () => {
  test('is a stream in the form of each API', () => {
    expect(bodyOf(PROMPT)).toMatchObject({ model: 'gpt-4o', stream: true, stream_options: { include_usage: true } });
    expect(bodyOf({ ...PROMPT, system: 'Be short' }).messages).toEqual([
      { role: 'system', content: 'Be short' },
      { role: 'user', content: PROMPT.text },
    ]);
    expect(bodyOf({ ...PROMPT, api: 'responses', system: 'S', maxTokens: 9 })).toEqual({
      model: 'gpt-4o',
      stream: true,
      instructions: 'S',
      input: PROMPT.text,
      max_output_tokens: 9,
    });
    expect(bodyOf({ ...PROMPT, api: 'messages' })).toMatchObject({ max_tokens: 1024, messages: [{ role: 'user' }] });
  });
});

describe('what it reads of an event', () => {
  test('is the text, in each API', () => {
    expect(readEvent('chat', '{"choices":[{"delta":{"content":"a"}}]}').text).toBe('a');
    expect(readEvent('chat', '{"choices":[{"delta":{"content":null}}]}').text).toBe('');
    expect(readEvent('responses', '{"type":"response.output_text.delta","delta":"b"}').text).toBe('b');
    expect(readEvent('responses', '{"type":"response.function_call_arguments.delta","delta":"no"}').text).toBe('');
    expect(readEvent('messages', '{"type":"content_block_delta","delta":{"type":"text_delta","text":"c"}}').text).toBe(
      'c',
    );
    expect(readEvent('messages', '{"type":"message_delta","delta":{"stop_reason":"end_turn"}}').text).toBe('');
  });

  test('are the token counts that upstream reports', () => {
    const openai = '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}';
    expect(readEvent('chat', openai).tokens).toEqual({ prompt: 1, completion: 2, total: 3 });
    expect(readEvent('chat', '{"choices":[],"usage":null}').tokens).toBeNull();
    const responses =
      '{"type":"response.completed","response":{"usage":{"input_tokens":4,"output_tokens":5,"total_tokens":9}}}';
    expect(readEvent('responses', responses).tokens).toEqual({ prompt: 4, completion: 5, total: 9 });
    expect(readEvent('messages', '{"type":"message_start","message":{"usage":{"input_tokens":6}}}').tokens).toEqual({
      prompt: 6,
    });
    expect(readEvent('messages', '{"type":"message_delta","usage":{"output_tokens":7}}').tokens).toEqual({
      completion: 7,
    });
  });

  test('is the error of a stream that was interrupted, in each form', () => {
    expect(readEvent('chat', '{"error":{"message":"broken","code":"upstream_stream_interrupted"}}').error).toBe(
      'broken',
    );
    expect(readEvent('responses', '{"type":"error","message":"broken","code":"x"}').error).toBe('broken');
    expect(readEvent('messages', '{"type":"error","error":{"type":"api_error","message":"broken"}}').error).toBe(
      'broken',
    );
  });

  test('is nothing of what is not an event of that API', () => {
    for (const data of ['[DONE]', '', 'null', '[]', '7', '{"choices":{}}', '{']) {
      expect(readEvent('chat', data)).toEqual({ text: '', tokens: null, error: null });
    }
  });
});

describe('the code that does the same', () => {
  test('runs in a shell: curl sends the same bytes of JSON', async () => {
    for (const api of ['chat', 'responses', 'messages'] as const) {
      const prompt = { ...PROMPT, api };
      const server = Bun.serve({
        hostname: '127.0.0.1',
        port: 0,
        fetch: async (request) => new Response(await request.text()),
      });
      const [curl] = codeSamples(prompt, `http://127.0.0.1:${server.port}`);
      const shell = Bun.spawn(['bash', '-c', curl!.text], {
        env: { PATH: process.env.PATH!, BVE_API_KEY: 'k' },
        stderr: 'ignore',
      });
      expect(await new Response(shell.stdout).json()).toEqual(bodyOf(prompt));
      await server.stop(true);
    }
  });

  test('names the SDK of the API, and holds no key', () => {
    const samples = (api: Prompt['api']) =>
      codeSamples({ ...PROMPT, api }, 'http://gw')
        .map(({ text }) => text)
        .join('\n');
    expect(samples('chat')).toContain('client.chat.completions.create(');
    expect(samples('responses')).toContain('client.responses.create(');
    expect(samples('messages')).toContain('base_url="http://gw"');
    expect(samples('chat')).toContain('base_url="http://gw/v1"');
    expect(samples('chat')).toContain('stream=True');
    for (const api of ['chat', 'responses', 'messages'] as const) expect(samples(api)).not.toContain('sk-bve-');
  });
});
