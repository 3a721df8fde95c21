/**
 * Chooses the answer: the body of the scenario if it has one, otherwise that of a small, well-behaved OpenAI-compatible
 * server. It depends on the request, the scenario and stored objects only: equal calls get equal bytes (except for `t`).
 */
import { type Answer, binary, bytes, errorAnswer, json } from './answer.ts';
import { chatStream } from './api/completions.ts';
import { ROUTES } from './api/routes.ts';
import { fieldsOf } from './completion.ts';
import type { ObjectStore } from './objects.ts';
import { echoOf } from './received.ts';
import type { ReceivedRequest } from './received-request.ts';
import type { Replay, ReplayFolder } from './replay-folder.ts';
import type { Scenario } from './scenario.ts';
import { ScenarioError } from './scenario-parser.ts';

/** @throws ScenarioError when a replay is missing */
export function answerTo(
  request: ReceivedRequest,
  scenario: Scenario,
  replays: ReplayFolder,
  objects: ObjectStore,
): Answer {
  const answer = scenarioBody(request, scenario, replays) ?? defaultAnswer(request, scenario, objects);
  return scenario.status === undefined ? answer : { ...answer, status: scenario.status };
}

function scenarioBody(request: ReceivedRequest, scenario: Scenario, replays: ReplayFolder): Answer | undefined {
  if (scenario.replay !== undefined) return recording(scenario, replays.load(scenario.replay));
  if (scenario.json !== undefined) return json(scenario.json);
  if (scenario.body !== undefined) return bytes(Buffer.from(scenario.body), 'text/plain; charset=utf-8');
  if (scenario.bytes !== undefined) return binary(scenario.bytes, 'application/octet-stream');
  if (scenario.echo) return json(echoOf(request));
  if (scenario.body_base64 === undefined) return undefined;
  return bytes(Buffer.from(scenario.body_base64, 'base64'), 'application/octet-stream');
}

/** A recording keeps its pace unless the scenario sets one or cuts the body into other pieces. */
function recording(scenario: Scenario, { contentType, content, pace }: Replay): Answer {
  const { pace_ms, split, split_at, gzip } = scenario;
  if (scenario.pace === 'recorded' && !pace) {
    throw new ScenarioError(`replay '${scenario.replay}' has no timing file, which pace 'recorded' needs`);
  }
  const own = scenario.pace ?? pace_ms ?? split ?? split_at ?? gzip;
  const answer = { status: 200, contentType, content };
  return pace && (own === undefined || own === 'recorded') ? { ...answer, pace } : answer;
}

function defaultAnswer(request: ReceivedRequest, scenario: Scenario, objects: ObjectStore): Answer {
  const [rawPath = '', query = ''] = request.path.split('?', 2);
  const path = rawPath.replace(/^\/v1(?=\/)/, '');
  const found = ROUTES.find(request.method === 'HEAD' ? 'GET' : request.method, path);
  if (!found) {
    if (scenario.events !== undefined || scenario.text !== undefined) {
      return chatStream(scenario, fieldsOf(request.json));
    }
    return errorAnswer(404, `Invalid URL (${request.method} ${request.path})`, null, path);
  }
  const { form } = request;
  return found.route.answer({
    request,
    scenario,
    path,
    query: new URLSearchParams(query),
    ids: found.ids,
    fields: form?.fields ?? fieldsOf(request.json),
    files: form?.files ?? [],
    objects,
  });
}
