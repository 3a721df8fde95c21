/** The API for clients, as far as the playground calls it: a list of models and one short answer in each of three forms. */
const TEXT =
  'A gateway stands between clients and an API. It checks who may ask, passes on what is asked, and counts what it costs.';
const WORD_MS = 15;

export async function fakeClientApi(request: Request, path: string): Promise<Response> {
  if (!/^Bearer sk-bve-[0-9a-f]{64}$/.test(request.headers.get('authorization') ?? '')) {
    return Response.json(
      { error: { message: 'Invalid API key', type: 'x', code: 'invalid_api_key' } },
      { status: 401 },
    );
  }
  if (path === '/v1/models') return Response.json({ data: [{ id: 'gpt-4o' }, { id: 'claude-sonnet-4' }] });
  const { model } = (await request.json()) as { model: string };
  if (model === 'no-such-model') {
    return Response.json(
      { error: { message: "Model 'no-such-model' is not allowed", type: 'x', code: 'model_not_allowed' } },
      { status: 403 },
    );
  }
  const events = path === '/v1/messages' ? messages() : path === '/v1/responses' ? responses() : chat();
  return new Response(paced(events, model === 'breaks-off'), {
    headers: { 'content-type': 'text/event-stream', 'x-bve-latency': '4', 'x-request-id': 'request-of-the-playground' },
  });
}

function words(): string[] {
  return TEXT.split(/(?<= )/);
}

function chat(): string[] {
  const chunk = (rest: object) => `data: ${JSON.stringify({ object: 'chat.completion.chunk', ...rest })}\n\n`;
  return [
    ...words().map((content) => chunk({ choices: [{ index: 0, delta: { content } }] })),
    chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
    chunk({ choices: [], usage: { prompt_tokens: 12, completion_tokens: 25, total_tokens: 37 } }),
    'data: [DONE]\n\n',
  ];
}

function responses(): string[] {
  const event = (type: string, rest: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
  return [
    event('response.created', { response: { id: 'resp_1', usage: null } }),
    ...words().map((delta) => event('response.output_text.delta', { delta })),
    event('response.completed', { response: { usage: { input_tokens: 12, output_tokens: 25, total_tokens: 37 } } }),
  ];
}

function messages(): string[] {
  const event = (type: string, rest: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
  return [
    event('message_start', { message: { id: 'msg_1', usage: { input_tokens: 12, output_tokens: 1 } } }),
    ...words().map((text) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })),
    event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 25 } }),
    event('message_stop', {}),
  ];
}

function paced(events: readonly string[], breaksOff: boolean): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let index = 0;
  return new ReadableStream({
    async pull(controller) {
      await Bun.sleep(WORD_MS);
      if (breaksOff && index === 5) controller.error(new Error('breaks off'));
      else if (index === events.length) controller.close();
      else controller.enqueue(encoder.encode(events[index++]!));
    },
  });
}
