/**
 * The mock upstream of the suite in a process of its own: src/mock with the suite's answers. Prints its port as one JSON line;
 * ends with its standard input, so that it cannot outlive the suite. Argument: the folder for generated recordings.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ReceivedRequest } from '../../src/mock/received-request.ts';
import type { Scenario } from '../../src/mock/scenario.ts';
import { type MockServer, startMock } from '../../src/mock/server.ts';
import { ANSWERS, TOOL_CALL_FILE } from './scenarios.ts';
import { toolCallStream } from './tool-call.ts';

/** @param change alters the requested answer, for tests of the checker */
export function startBenchMock(
  folder: string,
  port = 0,
  change: (answer: Scenario) => Scenario = (answer) => answer,
): MockServer {
  writeFileSync(join(folder, TOOL_CALL_FILE), toolCallStream());
  const mock = startMock({ port, replayDir: folder, requestsMax: 0 });
  mock.script((request) => {
    const answer = ANSWERS[modelOf(request)];
    return answer && change(answer);
  });
  return mock;
}

function modelOf(request: ReceivedRequest): string {
  const { model } = (request.json ?? {}) as { model?: unknown };
  return typeof model === 'string' ? model : '';
}

if (import.meta.main) {
  const [folder, port] = process.argv.slice(2);
  const mock = startBenchMock(folder!, Number(port ?? 0));
  process.stdout.write(`${JSON.stringify({ port: mock.port })}\n`);
  process.stdin.resume();
  process.stdin.on('end', () => process.exit(0));
}
