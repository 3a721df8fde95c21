/**
 * The scenarios as data. A request names its answer as its model, because every gateway passes that field on; the mock of the
 * suite (mock-process.ts) looks the answer up here.
 */
import type { Scenario } from '../../src/mock/scenario.ts';

export const TOOL_CALL_FILE = 'tool-call.sse';

export interface BenchScenario {
  readonly name: string;
  readonly about: string;
  /** Clients; each sends its next request when its answer has ended. */
  readonly connections: number;
  /** Models, used round-robin; each is a name of ANSWERS. */
  readonly models: readonly string[];
}

/** What the mock answers, by model. */
export const ANSWERS: Readonly<Record<string, Scenario>> = {
  'short-chat': { events: 20, event_bytes: 240, pace_ms: 5 },
  'long-answer': { events: 2000, event_bytes: 240 },
  'tool-call': { replay: TOOL_CALL_FILE, pace_ms: 3 },
  'big-events': { events: 20, event_bytes: 65_536 },
  'slow-trickle': { events: 40, event_bytes: 240, pace_ms: 10 },
  burst: { events: 20, event_bytes: 240 },
  'error-answers': {
    status: 429,
    headers: [['x-request-id', 'bench']],
    json: { error: { message: 'Slow down', type: 'rate_limit_error', param: null, code: 'rate_limit_exceeded' } },
  },
  /** For memory over open streams: longer than the measurement. */
  open: { events: 600, event_bytes: 240, pace_ms: 500 },
  /** For the timeline: events close enough to show a delay of a millisecond. */
  sample: { events: 24, event_bytes: 240, pace_ms: 4 },
};

export const SCENARIOS: readonly BenchScenario[] = [
  {
    name: 'short-chat',
    about: '32 chats at once, 20 events each, one every 5 ms',
    connections: 32,
    models: ['short-chat'],
  },
  {
    name: 'long-answer',
    about: '8 clients, 2,000 events each, as fast as they go',
    connections: 8,
    models: ['long-answer'],
  },
  {
    name: 'tool-call',
    about: '16 clients, arguments in pieces of four characters, one every 3 ms',
    connections: 16,
    models: ['tool-call'],
  },
  {
    name: 'big-events',
    about: '4 clients, 20 events of 64 kB each, as fast as they go',
    connections: 4,
    models: ['big-events'],
  },
  {
    name: 'slow-trickle',
    about: '100 chats at once, 40 events each, one every 10 ms',
    connections: 100,
    models: ['slow-trickle'],
  },
  {
    name: 'burst',
    about: '32 clients, 20 events each, as fast as they go: saturation',
    connections: 32,
    models: ['burst'],
  },
  {
    name: 'error-answers',
    about: '16 clients, upstream answers 429 with a JSON body',
    connections: 16,
    models: ['error-answers'],
  },
  {
    name: 'mixed',
    about: '24 clients: short chat, tool call, error and burst in turn',
    connections: 24,
    models: ['short-chat', 'tool-call', 'error-answers', 'burst'],
  },
];

/** The body of a request for the answer with this name. */
export function requestBody(model: string): string {
  return JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Say something.' }] });
}
