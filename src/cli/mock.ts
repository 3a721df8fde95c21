/** `bve mock`: the scripted OpenAI-compatible upstream, to try the gateway and its failure handling without an account. */
import { statSync } from 'node:fs';
import { checkBehaviour } from '../mock/key-behaviour.ts';
import type { ReceivedRequest } from '../mock/received-request.ts';
import type { Scenario } from '../mock/scenario.ts';
import { parseScenario, parseScenarioText, ScenarioError } from '../mock/scenario-parser.ts';
import { type MockOptions, type MockServer, startMock } from '../mock/server.ts';
import { LineOutput } from '../observe/line-output.ts';
import { print } from '../output.ts';
import { readTextInput } from '../text-file.ts';
import { type Arguments, type Command, CommandFailure, integerFlag, textFlag, UsageError } from './command.ts';
import { stopSignal } from './stop-signal.ts';

const DEFAULT_PORT = 4010;
/** A scenario may hold a recorded answer. */
const SCENARIO_BYTES_MAX = 64 * 1024 * 1024;

export const mock: Command = {
  name: 'mock',
  summary: 'run the scripted OpenAI-compatible upstream',
  options: {
    port: { type: 'string', value: 'N', help: `port to listen on, 0 for a free one (default ${DEFAULT_PORT})` },
    host: { type: 'string', value: 'HOST', help: 'address to listen on (default 127.0.0.1)' },
    replay: { type: 'string', value: 'DIR', help: 'folder of recorded answers, for "replay" and model replay:FILE' },
    rotate: { type: 'boolean', help: 'answer streams with the recordings of that folder, round-robin' },
    speed: { type: 'string', value: 'N', help: 'replay recordings N times as fast (default 1)' },
    scenario: { type: 'string', value: 'JSON|@FILE', help: 'scenario for requests without one' },
    'pace-ms': { type: 'string', value: 'N', help: 'milliseconds between two events of a stream' },
    split: { type: 'string', value: 'N', help: 'cut every body into pieces of N bytes, one write each' },
    key: {
      type: 'string',
      multiple: true,
      value: 'KEY=WHAT',
      help: 'how to treat requests with this API key (below); repeatable, all other keys get 401',
    },
    'json-log': { type: 'boolean', help: 'print one JSON line per finished request' },
  },
  details: `
Without a scenario it answers like a small OpenAI-compatible server: chat completions, responses and messages (JSON or
streams), embeddings, models, audio, images, files, conversations, assistants with threads and runs,
vector stores. Stored objects can be read back until the mock ends. Without --key, credentials are not checked.

A request can carry its own scenario as "mock": an object in its JSON body, or JSON text in a form field or a query
parameter. A gateway in between passes it on; a direct request may use the header x-mock:
  curl -N localhost:${DEFAULT_PORT}/v1/chat/completions -d '{"model":"gpt-4o","stream":true,"messages":[],
    "mock":{"text":"Slowly does it","pace_ms":200}}'

Some scenarios (src/mock/scenario.ts has all fields):
  {"status":429,"headers":[["retry-after","7"]],"json":{"error":{"message":"slow down"}}}
  {"events":1000,"event_bytes":200,"pace_ms":10}                      a paced stream of numbered events
  {"replay":"chat.sse","split":1}                                     a recording, byte by byte
  {"replay":"stream-001.sse","speed":2}                               from bve bench --record, twice as fast
  {"fault":{"kind":"reset","after_bytes":500}}                        connection reset in the middle
  {"fault":{"kind":"hang"}}  {"head_delay_ms":5000}                   no head, or a late one
  {"framing":"length_short"}  {"framing":"bad_chunk_size"}            invalid HTTP
  {"bytes":500000000}                                                 a download of that size
  {"tool":{"name":"get_weather","arguments":{"city":"Paris"}}}        a tool call; then, to its result, the text
  {"echo":true}                                                       sends the request back: headers, SHA-256 of the body

--key simulates a failing target, to try a gateway with several targets. WHAT is one of:
  ok                           answers as without --key
  401, 429,retry-after=7 …     this status, with an error body in the form of the API
  quota,allowed=5,reset=30     5 requests per 30 s with x-quota-* headers, then 429
  slow,ms=2000                 sends the head 2 s late
  reset, hang                  resets the connection, or never answers
Append ,for=20s to fail for 20 s after the first request with the key, or ,every=3 to fail every third request only. For a
target that refuses connections, use a port on which nothing listens.

Examples:
  bve mock --replay recordings --pace-ms 20
  bve mock --replay recordings --rotate --speed 2
  bve mock --port 0 --scenario '{"text":"Good morning"}'
  bve mock --scenario @outage.json --json-log
  bve mock --key good=ok --key bad=503,for=20s
`,
  run,
};

async function run(args: Arguments): Promise<number> {
  const options = optionsFrom(args);
  const server = start(options);
  print(`mock upstream listens on ${server.url}\n`);
  await stopSignal();
  await server.stop();
  return 0;
}

function optionsFrom(args: Arguments): MockOptions {
  const replayDir = textFlag(args, 'replay');
  if (replayDir !== undefined) requireFolder(replayDir);
  if (args.flags.rotate && replayDir === undefined) throw new UsageError('--rotate needs --replay DIR');
  return {
    port: integerFlag(args, 'port', DEFAULT_PORT, 0, 65_535),
    hostname: textFlag(args, 'host') ?? '127.0.0.1',
    scenario: scenarioFrom(args),
    ...keysFrom(args),
    ...(replayDir === undefined ? {} : { replayDir }),
    ...(args.flags.rotate ? { rotate: true } : {}),
    // Nothing reads the requests in this process, so none are kept.
    requestsMax: 0,
    ...(args.flags['json-log'] ? { onRequest: logTo(stdoutLines()) } : {}),
  };
}

function scenarioFrom(args: Arguments): Scenario {
  const text = textFlag(args, 'scenario');
  const paceMs = integerFlag(args, 'pace-ms', -1, 0, 3_600_000);
  const split = integerFlag(args, 'split', -1, 1, 1_073_741_824);
  const speed = textFlag(args, 'speed');
  try {
    const given = text === undefined ? {} : parseScenarioText(text.startsWith('@') ? read(text.slice(1)) : text);
    return parseScenario({
      ...given,
      ...(paceMs < 0 ? {} : { pace_ms: paceMs }),
      ...(split < 0 ? {} : { split }),
      ...(speed === undefined ? {} : { speed: speedFrom(speed) }),
    });
  } catch (error) {
    if (error instanceof ScenarioError) throw new UsageError(`--scenario: ${error.message}`);
    throw error;
  }
}

function keysFrom(args: Arguments): { keys?: Record<string, string> } {
  const keys: Record<string, string> = {};
  for (const text of args.lists.key ?? []) {
    // The key may contain = itself; what follows the last one starts with a word.
    const [, key, behaviour] = /^(.+?)=([a-z0-9]+(?:,.*)?)$/.exec(text) ?? [];
    if (key === undefined || behaviour === undefined) throw new UsageError(`--key takes KEY=WHAT, not '${text}'`);
    try {
      checkBehaviour(behaviour);
    } catch (error) {
      throw new UsageError(`--key ${key}: ${(error as Error).message}`);
    }
    keys[key] = behaviour;
  }
  return args.lists.key === undefined ? {} : { keys };
}

function speedFrom(text: string): number {
  const speed = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(speed >= 0.001 && speed <= 1000)) throw new UsageError(`--speed takes 0.001 to 1000, not '${text}'`);
  return speed;
}

function read(path: string): string {
  try {
    return readTextInput(path, SCENARIO_BYTES_MAX);
  } catch (error) {
    throw new CommandFailure(`cannot read the scenario file '${path}': ${(error as Error).message}`);
  }
}

function requireFolder(path: string): void {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CommandFailure(`--replay: '${path}' is not a folder`);
  }
}

function start(options: MockOptions): MockServer {
  try {
    return startMock(options);
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    const reason = taken ? 'the port is in use' : reasonOf(error);
    if (error instanceof ScenarioError) throw new CommandFailure(`--replay: ${error.message}`);
    throw new CommandFailure(`cannot listen on ${options.hostname}:${options.port}: ${reason}`);
  }
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}

/** Lines that are not read are dropped, so that they do not block the mock. */
function stdoutLines(): LineOutput {
  const droppedLine = (count: number) => `${JSON.stringify({ dropped: count })}\n`;
  return new LineOutput({ fd: 1, onTrouble: () => {}, droppedLine });
}

function logTo(log: LineOutput) {
  return (request: ReceivedRequest) => {
    const startedMs = performance.now();
    request.closed.then((end) => {
      const { sequence, connectionId, method, path, bytesSent } = request;
      const ms = Math.round(performance.now() - startedMs);
      log.write(`${JSON.stringify({ sequence, connection: connectionId, method, path, bytesSent, ms, end })}\n`);
    });
  };
}
