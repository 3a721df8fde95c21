/** The bytes that upstream's answer has when nothing goes wrong with it, made by the mock's own code. */
import { answerTo } from '../../src/mock/answers.ts';
import { WireFormat } from '../../src/mock/framing.ts';
import { ObjectStore } from '../../src/mock/objects.ts';
import { bodyOf } from '../../src/mock/pieces.ts';
import { RecordedRequest } from '../../src/mock/received-request.ts';
import { ReplayFolder } from '../../src/mock/replay-folder.ts';
import type { Scenario } from '../../src/mock/scenario.ts';

interface AskedFor {
  readonly method: string;
  readonly path: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** What comes of the chunk that this framing does not finish. */
const BEGUN_CHUNK = Buffer.from(new WireFormat('short_chunk').end.toString().split('\r\n')[1]!);
const NO_RECORDINGS = new ReplayFolder(undefined);

/** @throws ScenarioError when the scenario does not fit the request: a mistake of the soak's */
export function referenceOf({ method, path, headers, body }: AskedFor, scenario: Scenario): Buffer {
  const request = new RecordedRequest({ method, path, version: '1.1', headers }, body, 0);
  const { content } = answerTo(request, scenario, NO_RECORDINGS, new ObjectStore());
  const { gzip: _, split: _s, split_at: _a, pace: _p, ...whole } = scenario;
  const pieces = Array.from(bodyOf(content, whole, false).pieces, (make) => make());
  return Buffer.concat(scenario.framing === 'short_chunk' ? [...pieces, BEGUN_CHUNK] : pieces);
}
