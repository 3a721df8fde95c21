/**
 * Chooses the scenario of a request, in this order: the test's script; the scenario in the request (below); a model named
 * `replay:<file>`; the recordings of the folder, round-robin, if the server rotates them; the server's default.
 *
 * A request carries a scenario as `mock`: an object in its JSON body, or JSON text in a form field or a query parameter. A
 * gateway passes all of these on. Without a gateway in between the header `x-mock` works, too.
 */
import { fieldsOf } from './completion.ts';
import type { ReceivedRequest } from './received-request.ts';
import type { Scenario } from './scenario.ts';
import { parseScenario, parseScenarioText, ScenarioError } from './scenario-parser.ts';

export type Script = Scenario | ((request: ReceivedRequest) => Scenario | undefined);

/** The name of the next recording for a request, or undefined when none fits. */
export type Rotation = (request: ReceivedRequest) => string | undefined;

/** @throws ScenarioError */
export function chooseScenario(
  request: ReceivedRequest,
  script: Script | undefined,
  rotation: Rotation | undefined,
  fallback: Scenario,
): Scenario {
  const scripted = typeof script === 'function' ? script(request) : script;
  if (scripted) return scripted;
  const own = ownScenario(request);
  if (own) return own;
  const { model } = fieldsOf(request.json);
  if (typeof model === 'string' && model.startsWith(REPLAY)) return replayOf(model.slice(REPLAY.length), fallback);
  const next = rotation?.(request);
  return next === undefined ? fallback : replayOf(next, fallback);
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
  return parameter ?? request.form?.fields.mock ?? request.get('x-mock');
}

/** The model name chooses the body; pace, split and faults stay those of the server's default. */
function replayOf(replay: string, fallback: Scenario): Scenario {
  const { body: _, body_base64: _b, json: _j, bytes: _n, echo: _e, events: _v, text: _t, ...how } = fallback;
  try {
    return parseScenario({ ...how, replay });
  } catch (error) {
    throw new ScenarioError(`model '${REPLAY}${replay}': ${(error as Error).message}`);
  }
}
