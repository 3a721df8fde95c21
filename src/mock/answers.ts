/**
 * What is answered: the scenario's body if it has one, otherwise what a small, well-behaved OpenAI-compatible server says.
 * Everything depends on the request and the scenario alone, so the same call gets the same bytes (but for `t`).
 */
import { chatEvents, chatJson } from './api-chat.ts';
import { messagesEvents, messagesJson } from './api-messages.ts';
import { responsesEvents, responsesJson } from './api-responses.ts';
import { type Completion, CREATED_S, completionFor, fieldsOf, PROMPT_TOKENS } from './completion.ts';
import type { EventList } from './event-list.ts';
import type { ReceivedRequest } from './received-request.ts';
import type { Replay, ReplayFolder } from './replay-folder.ts';
import type { Scenario } from './scenario.ts';
import { ScenarioError } from './scenario-parser.ts';
import type { RecordedPace } from './timing.ts';

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly content: Uint8Array | EventList;
  /** When its events are sent; undefined where the scenario alone says that. */
  readonly pace?: RecordedPace;
}

const MODELS = ['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4', 'text-embedding-3-small'] as const;

/** @throws ScenarioError when a replay is missing */
export function answerTo(request: ReceivedRequest, scenario: Scenario, replays: ReplayFolder): Answer {
  const answer = scenarioBody(scenario, replays) ?? defaultAnswer(request, scenario);
  return scenario.status === undefined ? answer : { ...answer, status: scenario.status };
}

/** The OpenAI error envelope. */
export function errorAnswer(status: number, message: string, code: string | null = null): Answer {
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  return json({ error: { message, type, param: null, code } }, status);
}

interface Api {
  readonly stream: (of: Completion) => EventList;
  readonly json: (of: Completion) => unknown;
}

const CHAT: Api = { stream: chatEvents, json: chatJson };
const COMPLETION_APIS: Readonly<Record<string, Api>> = {
  '/chat/completions': CHAT,
  '/responses': { stream: responsesEvents, json: responsesJson },
  '/messages': { stream: messagesEvents, json: messagesJson },
};

function scenarioBody(scenario: Scenario, replays: ReplayFolder): Answer | undefined {
  if (scenario.replay !== undefined) return recording(scenario, replays.load(scenario.replay));
  if (scenario.json !== undefined) return json(scenario.json);
  if (scenario.body !== undefined) return bytes(Buffer.from(scenario.body), 'text/plain; charset=utf-8');
  if (scenario.body_base64 === undefined) return undefined;
  return bytes(Buffer.from(scenario.body_base64, 'base64'), 'application/octet-stream');
}

/** A recording keeps its pace unless the scenario has one, or cuts the body into pieces that the recording knows nothing of. */
function recording(scenario: Scenario, { contentType, content, pace }: Replay): Answer {
  const { pace_ms, split, split_at, gzip } = scenario;
  if (scenario.pace === 'recorded' && !pace) {
    throw new ScenarioError(`replay '${scenario.replay}' has no timing file, which pace 'recorded' needs`);
  }
  const own = scenario.pace ?? pace_ms ?? split ?? split_at ?? gzip;
  const answer = { status: 200, contentType, content };
  return pace && (own === undefined || own === 'recorded') ? { ...answer, pace } : answer;
}

function defaultAnswer(request: ReceivedRequest, scenario: Scenario): Answer {
  const path = request.path.split('?', 1)[0]!.replace(/^\/v1(?=\/)/, '');
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  if (method === 'POST') {
    const api = COMPLETION_APIS[path];
    if (api) return completionAnswer(request, scenario, api);
    if (path === '/embeddings') return embeddings(request);
  }
  if (method === 'GET') {
    if (path === '/models') return json({ object: 'list', data: MODELS.map(model) });
    if (path.startsWith('/models/')) return oneModel(path.slice('/models/'.length));
  }
  if (scenario.events !== undefined || scenario.text !== undefined) {
    return stream(CHAT.stream(completionFor(request, scenario)));
  }
  return errorAnswer(404, `Invalid URL (${request.method} ${request.path})`);
}

function completionAnswer(request: ReceivedRequest, scenario: Scenario, api: Api): Answer {
  const asked = request.json;
  if (typeof asked !== 'object' || asked === null || Array.isArray(asked)) {
    return errorAnswer(400, 'We could not parse the JSON body of your request.');
  }
  const completion = completionFor(request, scenario);
  return fieldsOf(asked).stream === true ? stream(api.stream(completion)) : json(api.json(completion));
}

function embeddings(request: ReceivedRequest): Answer {
  const { input, model: name } = fieldsOf(request.json);
  const inputs = Array.isArray(input) ? input : [input];
  const data = inputs.map((_, index) => ({ object: 'embedding', index, embedding: [0.25, -0.5, 0.125, 1] }));
  const usage = { prompt_tokens: PROMPT_TOKENS, total_tokens: PROMPT_TOKENS };
  return json({ object: 'list', data, model: typeof name === 'string' ? name : 'text-embedding-3-small', usage });
}

function oneModel(escaped: string): Answer {
  const id = MODELS.find((name) => name === escaped || encodeURIComponent(name) === escaped);
  return id ? json(model(id)) : errorAnswer(404, `The model '${escaped}' does not exist`, 'model_not_found');
}

function model(id: string): unknown {
  return { id, object: 'model', created: CREATED_S, owned_by: 'mock' };
}

function json(value: unknown, status = 200): Answer {
  return { status, contentType: 'application/json', content: Buffer.from(JSON.stringify(value)) };
}

function bytes(content: Uint8Array, contentType: string): Answer {
  return { status: 200, contentType, content };
}

function stream(content: EventList): Answer {
  return { status: 200, contentType: 'text/event-stream', content };
}
