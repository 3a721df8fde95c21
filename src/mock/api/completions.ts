/** The three endpoints that complete a prompt, and the stored chat completions and responses. */
import { type Answer, errorAnswer, json, stream } from '../answer.ts';
import { type Completion, CREATED_S, completionFor, fieldsOf, PROMPT_TOKENS } from '../completion.ts';
import type { EventList } from '../content.ts';
import type { StoredObject } from '../objects.ts';
import { list, routesOf, withObject } from '../resource.ts';
import type { MockCall, MockRoute } from '../route.ts';
import { chatEvents, chatJson } from './chat.ts';
import { messagesEvents, messagesJson } from './messages.ts';
import { responsesEvents, responsesJson } from './responses.ts';

interface Api {
  readonly stream: (of: Completion) => EventList;
  readonly json: (of: Completion) => unknown;
}

const CHAT: Api = { stream: chatEvents, json: chatJson };
const RESPONSES: Api = { stream: responsesEvents, json: responsesJson };
const MESSAGES: Api = { stream: messagesEvents, json: messagesJson };

export const completionRoutes: readonly MockRoute[] = [
  { method: 'POST', path: '/chat/completions', answer: (call) => completed(call, CHAT, storeChat) },
  { method: 'POST', path: '/responses', answer: (call) => completed(call, RESPONSES, storeResponse) },
  { method: 'POST', path: '/messages', answer: (call) => completed(call, MESSAGES, (_, of) => of) },
  { method: 'POST', path: '/messages/count_tokens', answer: () => json({ input_tokens: PROMPT_TOKENS }) },
  ...routesOf({
    path: '/chat/completions',
    object: 'chat.completion',
    idPrefix: 'chatcmpl-',
    calls: ['list', 'retrieve', 'update', 'delete'],
    create: () => ({}),
  }),
  { method: 'GET', path: '/chat/completions/{id}/messages', answer: storedMessages },
  { method: 'POST', path: '/responses/input_tokens', answer: () => json(inputTokens()) },
  { method: 'POST', path: '/responses/compact', answer: compacted },
  ...routesOf({
    path: '/responses',
    object: 'response',
    deletedObject: 'response',
    idPrefix: 'resp_',
    calls: ['delete'],
    create: () => ({}),
  }),
  { method: 'GET', path: '/responses/{id}', answer: retrievedResponse },
  { method: 'GET', path: '/responses/{id}/input_items', answer: inputItems },
  { method: 'POST', path: '/responses/{id}/cancel', answer: cancelledResponse },
];

/** A stream of chat completion chunks, for unknown paths. */
export function chatStream(scenario: MockCall['scenario'], fields: MockCall['fields']): Answer {
  return stream(chatEvents(completionFor(fields, scenario)));
}

function completed(call: MockCall, api: Api, store: (call: MockCall, of: Completion) => Completion): Answer {
  const asked = call.request.json;
  if (typeof asked !== 'object' || asked === null || Array.isArray(asked)) {
    return errorAnswer(400, 'We could not parse the JSON body of your request.', null, call.path);
  }
  const completion = store(call, completionFor(call.fields, call.scenario));
  if (call.fields.stream === true) return stream(api.stream(completion));
  const background = api === RESPONSES && call.fields.background === true;
  return json(background ? queued(completion) : api.json(completion));
}

/** Only with `"store": true`, as in the API. */
function storeChat(call: MockCall, completion: Completion): Completion {
  if (call.fields.store !== true) return completion;
  const id = call.objects.freeId(call.path, 'chatcmpl-', call.request.body);
  const stored = { ...completion, id };
  call.objects.put(call.path, { ...(chatJson(stored) as StoredObject), metadata: call.fields.metadata ?? {} });
  const messages = Array.isArray(call.fields.messages) ? call.fields.messages : [];
  for (const [i, message] of messages.entries()) {
    call.objects.put(`${call.path}/${id}/messages`, { ...fieldsOf(message), id: `${id}-${i}` });
  }
  return stored;
}

/** Unless the request says `"store": false`. Without `"store": true` all responses share one id, and the last one is kept. */
function storeResponse(call: MockCall, completion: Completion): Completion {
  const { store, background, input, metadata } = call.fields;
  if (store === false) return completion;
  const own = store === true || background === true;
  const id = own ? call.objects.freeId(call.path, 'resp_', call.request.body) : 'resp_mock';
  const stored = { ...completion, id };
  const response = background === true ? queued(stored) : (responsesJson(stored) as StoredObject);
  call.objects.put(call.path, { ...response, background: background === true, metadata: metadata ?? {} });
  const items = Array.isArray(input) ? input : [{ role: 'user', content: [{ type: 'input_text', text: input }] }];
  for (const [i, item] of items.entries()) {
    call.objects.put(`${call.path}/${id}/input_items`, { type: 'message', ...fieldsOf(item), id: `msg_${i}` });
  }
  return stored;
}

function queued(of: Completion): StoredObject {
  return { ...(responsesJson(of) as StoredObject), status: 'queued', output: [], usage: null, background: true };
}

function storedMessages(call: MockCall): Answer {
  const parent = call.path.slice(0, -'/messages'.length);
  return withObject(call, 'chat completion', () => json(list(call, call.path)), parent);
}

function inputItems(call: MockCall): Answer {
  const parent = call.path.slice(0, -'/input_items'.length);
  return withObject(call, 'response', () => json(list(call, call.path)), parent);
}

/** A background response is complete when it is retrieved. `?stream=true` sends its events from `starting_after` on. */
function retrievedResponse(call: MockCall): Answer {
  return withObject(call, 'response', (found) => {
    const isDone = found.status !== 'queued';
    const of: Completion = { ...completionFor({ model: found.model }, call.scenario), id: found.id };
    const response = isDone ? found : { ...found, ...(responsesJson(of) as StoredObject) };
    if (!isDone) call.objects.put('/responses', response);
    if (call.query.get('stream') !== 'true') return json(response);
    const { prelude, count, token, epilogue } = responsesEvents({ ...of, ...tokensOf(response) });
    const events = [...prelude, ...Array.from({ length: count }, (_, i) => token(i)), ...epilogue];
    const rest = events.slice(Number(call.query.get('starting_after') ?? -1) + 1);
    return stream({ prelude: [], count: rest.length, token: (i) => rest[i]!, epilogue: [] });
  });
}

function tokensOf(response: StoredObject): Partial<Completion> {
  const [item] = response.output as { content: { text: string }[] }[];
  const { tokenCount, token, text, usage } = completionFor({}, { text: item?.content[0]?.text ?? '' });
  return { tokenCount, token, text, usage: response.usage ?? usage };
}

function cancelledResponse(call: MockCall): Answer {
  return withObject(
    call,
    'response',
    (found) => {
      if (found.background !== true) {
        return errorAnswer(400, 'Only responses with background=true can be cancelled.', null, call.path);
      }
      const cancelled = { ...found, status: 'cancelled' };
      call.objects.put('/responses', cancelled);
      return json(cancelled);
    },
    call.path.slice(0, -'/cancel'.length),
  );
}

function inputTokens(): unknown {
  return { object: 'response.input_tokens', input_tokens: PROMPT_TOKENS };
}

function compacted({ scenario }: MockCall): Answer {
  const output = [{ id: 'cmp_mock', type: 'compaction', encrypted_content: Buffer.from('mock').toString('base64') }];
  const usage = scenario.usage ?? { input_tokens: PROMPT_TOKENS, output_tokens: 3, total_tokens: PROMPT_TOKENS + 3 };
  return json({ id: 'resp_mock', object: 'response.compaction', created_at: CREATED_S, output, usage });
}
