/** Recorded streams, round-robin, for requests of a stream of the same API. */
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
 * A recording without a timing file has no known API, and serves all.
 * @throws ScenarioError when there is nothing to serve, or a recording is broken
 */
export function rotationOf(replays: ReplayFolder): Rotation {
  const recordings = replays.streams().map((name) => ({ name, api: replays.load(name).api }));
  if (recordings.length === 0) throw new ScenarioError('the folder holds no .sse file to rotate');
  const counts = new Map<string, number>();
  return (request) => {
    if (fieldsOf(request.json).stream !== true) return undefined;
    const path = request.path.split('?', 1)[0]!;
    const api = APIS.find(([ending]) => path.endsWith(ending))?.[1];
    if (!api) return undefined;
    const fitting = recordings.filter((recording) => recording.api === undefined || recording.api === api);
    if (fitting.length === 0) return undefined;
    const count = counts.get(api) ?? 0;
    counts.set(api, count + 1);
    return fitting[count % fitting.length]!.name;
  };
}
