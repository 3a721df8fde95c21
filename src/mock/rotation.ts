/** Recorded streams in turn, for requests that want a stream of the same API. */
import type { Rotation } from './choose-scenario.ts';
import { fieldsOf } from './completion.ts';
import type { ReplayFolder } from './replay-folder.ts';
import { ScenarioError } from './scenario-parser.ts';
import type { Timing } from './timing.ts';

const APIS: readonly (readonly [ending: string, api: Timing['api']])[] = [
  ['/chat/completions', 'chat'],
  ['/responses', 'responses'],
  ['/messages', 'messages'],
];

/**
 * A recording without a timing file says of no API that it belongs there, and serves them all.
 * @throws ScenarioError when there is nothing to serve, or a recording is broken
 */
export function rotationOf(replays: ReplayFolder): Rotation {
  const recordings = replays.streams().map((name) => ({ name, api: replays.load(name).api }));
  if (recordings.length === 0) throw new ScenarioError('the folder holds no .sse file to rotate');
  const turns = new Map<string, number>();
  return (request) => {
    if (fieldsOf(request.json).stream !== true) return undefined;
    const path = request.path.split('?', 1)[0]!;
    const api = APIS.find(([ending]) => path.endsWith(ending))?.[1];
    if (!api) return undefined;
    const fitting = recordings.filter((recording) => recording.api === undefined || recording.api === api);
    if (fitting.length === 0) return undefined;
    const turn = turns.get(api) ?? 0;
    turns.set(api, turn + 1);
    return fitting[turn % fitting.length]!.name;
  };
}
