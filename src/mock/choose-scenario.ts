/**
 * Which scenario a request gets. In this order: the script of the test that runs the mock; the one that the request brings
 * with it (below); a model named `replay:<file>`; the folder's recordings in turn, if the server rotates them; the server's
 * default.
 *
 * A request brings a scenario as `mock`: an object in the JSON body, or JSON text as a field of a form or as a parameter of
 * the query. All of these pass a faithful gateway, so they work from the far side of one.
 */
import { fieldsOf } from './completion.ts';
import type { ReceivedRequest } from './received-request.ts';
import type { Scenario } from './scenario.ts';
import { parseScenario, parseScenarioText, ScenarioError } from './scenario-parser.ts';

export type Script = Scenario | ((request: ReceivedRequest) => Scenario | undefined);

/** The next recorded answer for a request, or undefined when none fits. */
export type Rotation = (request: ReceivedRequest) => string | undefined;

/** @throws ScenarioError */
export function chooseScenario(
  request: ReceivedRequest,
  script: Script | undefined,
  rotation: Rotation | undefined,
  standard: Scenario,
): Scenario {
  const scripted = typeof script === 'function' ? script(request) : script;
  if (scripted) return scripted;
  const own = ownScenario(request);
  if (own) return own;
  const { model } = fieldsOf(request.json);
  if (typeof model === 'string' && model.startsWith(REPLAY)) return replayOf(model.slice(REPLAY.length), standard);
  const next = rotation?.(request);
  return next === undefined ? standard : replayOf(next, standard);
}

const REPLAY = 'replay:';

function ownScenario(request: ReceivedRequest): Scenario | undefined {
  const { mock } = fieldsOf(request.json);
  const text = mock === undefined ? scenarioText(request) : undefined;
  if (mock === undefined && text === undefined) return undefined;
  try {
    return text === undefined ? parseScenario(mock) : parseScenarioText(text);
  } catch (error) {
    throw new ScenarioError(`mock: ${(error as Error).message}`);
  }
}

function scenarioText(request: ReceivedRequest): string | undefined {
  const query = request.path.indexOf('?');
  const parameter = query < 0 ? null : new URLSearchParams(request.path.slice(query + 1)).get('mock');
  return parameter ?? request.form?.fields.mock;
}

/** A model name chooses what is sent; how (pace, split, faults) stays the server's default. */
function replayOf(replay: string, standard: Scenario): Scenario {
  const { body: _, body_base64: _b, json: _j, bytes: _n, echo: _e, events: _v, text: _t, ...how } = standard;
  try {
    return parseScenario({ ...how, replay });
  } catch (error) {
    throw new ScenarioError(`model '${REPLAY}${replay}': ${(error as Error).message}`);
  }
}
