/**
 * Which scenario a request gets. In this order: the script of the test that runs the mock; a `mock` object in the JSON
 * body (unknown fields survive a faithful gateway, so this works from the far side of one); a model named
 * `replay:<file>`; the folder's recordings in turn, if the server rotates them; the server's default.
 */
import { fieldsOf } from './completion.ts';
import type { ReceivedRequest } from './received-request.ts';
import type { Scenario } from './scenario.ts';
import { parseScenario, ScenarioError } from './scenario-parser.ts';

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
  const { mock, model } = fieldsOf(request.json);
  if (mock !== undefined) return ownScenario(mock);
  if (typeof model === 'string' && model.startsWith(REPLAY)) return replayOf(model.slice(REPLAY.length), standard);
  const next = rotation?.(request);
  return next === undefined ? standard : replayOf(next, standard);
}

const REPLAY = 'replay:';

function ownScenario(value: unknown): Scenario {
  try {
    return parseScenario(value);
  } catch (error) {
    throw new ScenarioError(`mock: ${(error as Error).message}`);
  }
}

/** A model name chooses what is sent; how (pace, split, faults) stays the server's default. */
function replayOf(replay: string, standard: Scenario): Scenario {
  const { body: _, body_base64: _b, json: _j, events: _e, text: _t, ...how } = standard;
  try {
    return parseScenario({ ...how, replay });
  } catch (error) {
    throw new ScenarioError(`model '${REPLAY}${replay}': ${(error as Error).message}`);
  }
}
