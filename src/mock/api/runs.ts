/**
 * Runs of an assistant on a thread: streamed or polled. A polled run is queued when created and completed when retrieved; then
 * its answer is a message of the thread.
 */
import { type Answer, errorAnswer, json, stream } from '../answer.ts';
import { type Completion, CREATED_S, completionFor, fieldsOf, PROMPT_TOKENS, tokenEvent } from '../completion.ts';
import type { EventList } from '../content.ts';
import type { StoredObject } from '../objects.ts';
import { list, withObject } from '../resource.ts';
import type { MockCall, MockRoute } from '../route.ts';
import { addMessage, createThread } from './assistants.ts';

const RUNS = '/threads/{thread}/runs';

export const runRoutes: readonly MockRoute[] = [
  { method: 'POST', path: '/threads', answer: (call) => json(createThread(call, call.fields)) },
  { method: 'POST', path: '/threads/runs', answer: createThreadAndRun },
  { method: 'POST', path: RUNS, answer: (call) => withThread(call, () => start(call, call.ids[0]!, [])) },
  { method: 'GET', path: RUNS, answer: (call) => withThread(call, () => json(list(call, call.path))) },
  { method: 'GET', path: `${RUNS}/{run}`, answer: (call) => withRun(call, (run) => json(finished(call, run))) },
  { method: 'POST', path: `${RUNS}/{run}`, answer: (call) => withRun(call, (run) => json(updated(call, run))) },
  { method: 'POST', path: `${RUNS}/{run}/cancel`, answer: (call) => withRun(call, (run) => cancel(call, run)) },
  { method: 'POST', path: `${RUNS}/{run}/submit_tool_outputs`, answer: submitToolOutputs },
  { method: 'GET', path: `${RUNS}/{run}/steps`, answer: (call) => withRun(call, (run) => json(steps(call, run))) },
  { method: 'GET', path: `${RUNS}/{run}/steps/{step}`, answer: (call) => withRun(call, (run) => json(stepOf(run))) },
];

function createThreadAndRun(call: MockCall): Answer {
  const thread = createThread(call, fieldsOf(call.fields.thread));
  return start(call, thread.id, [event('thread.created', thread)]);
}

/** @param before events before those of the run */
function start(call: MockCall, thread: string, before: readonly string[]): Answer {
  const { assistant_id, model, instructions, tools, metadata } = call.fields;
  if (typeof assistant_id !== 'string') {
    return errorAnswer(400, "Missing required parameter: 'assistant_id'.", 'missing_required_parameter', call.path);
  }
  const collection = `/threads/${thread}/runs`;
  const assistant = call.objects.get('/assistants', assistant_id);
  const run: StoredObject = {
    id: call.objects.freeId(collection, 'run_', call.request.body),
    object: 'thread.run',
    created_at: CREATED_S,
    assistant_id,
    thread_id: thread,
    status: 'queued',
    model: model ?? assistant?.model ?? 'gpt-4o',
    instructions: instructions ?? assistant?.instructions ?? '',
    tools: tools ?? assistant?.tools ?? [],
    metadata: metadata ?? {},
    required_action: null,
    last_error: null,
    usage: null,
  };
  call.objects.put(collection, run);
  return call.fields.stream === true ? streamed(call, run, before) : json(run);
}

function streamed(call: MockCall, run: StoredObject, before: readonly string[]): Answer {
  const of = completionFor({ model: run.model }, call.scenario);
  const done = finished(call, run, of);
  const message = call.objects.get(`/threads/${run.thread_id}/messages`, String(done.message_id))!;
  const begun = { ...message, status: 'in_progress', content: [] };
  const delta = `event: thread.message.delta\ndata: {"id":${JSON.stringify(message.id)},"object":"thread.message.delta",`;
  const content: EventList = {
    prelude: [
      ...before,
      event('thread.run.created', run),
      event('thread.run.queued', run),
      event('thread.run.in_progress', { ...run, status: 'in_progress' }),
      event('thread.run.step.created', { ...stepOf(run), status: 'in_progress' }),
      event('thread.run.step.in_progress', { ...stepOf(run), status: 'in_progress' }),
      event('thread.message.created', begun),
      event('thread.message.in_progress', begun),
    ],
    count: of.tokenCount,
    token: (i) => tokenEvent(of, i, delta, DELTA_TEXT, DELTA_END),
    epilogue: [
      event('thread.message.completed', { ...message, status: 'completed' }),
      event('thread.run.step.completed', { ...stepOf(done), status: 'completed' }),
      event('thread.run.completed', done),
      'event: done\ndata: [DONE]\n\n',
    ],
  };
  return stream(content);
}

const DELTA_TEXT = '"delta":{"content":[{"index":0,"type":"text","text":{"value":"';
const DELTA_END = '","annotations":[]}}]}}\n\n';

/** The completed run; its answer is created the first time. */
function finished(
  call: MockCall,
  run: StoredObject,
  of: Completion = completionFor({ model: run.model }, call.scenario),
): StoredObject {
  if (run.status !== 'queued') return run;
  const thread = String(run.thread_id);
  const message = addMessage(call, thread, {
    role: 'assistant',
    content: of.text,
    assistant_id: run.assistant_id,
    run_id: run.id,
  });
  const usage = of.usage ?? {
    prompt_tokens: PROMPT_TOKENS,
    completion_tokens: of.tokenCount,
    total_tokens: PROMPT_TOKENS + of.tokenCount,
  };
  const done = { ...run, status: 'completed', completed_at: CREATED_S, usage, message_id: message.id };
  call.objects.put(`/threads/${thread}/runs`, done);
  return done;
}

function updated(call: MockCall, run: StoredObject): StoredObject {
  const changed = { ...run, metadata: call.fields.metadata ?? run.metadata };
  call.objects.put(`/threads/${run.thread_id}/runs`, changed);
  return changed;
}

function cancel(call: MockCall, run: StoredObject): Answer {
  if (run.status !== 'queued') {
    return errorAnswer(400, `Cannot cancel run with status '${run.status}'.`, null, call.path);
  }
  call.objects.put(`/threads/${run.thread_id}/runs`, { ...run, status: 'cancelled', cancelled_at: CREATED_S });
  return json({ ...run, status: 'cancelling' });
}

function submitToolOutputs(call: MockCall): Answer {
  return withRun(call, (run) => (call.fields.stream === true ? streamed(call, run, []) : json(finished(call, run))));
}

function steps(call: MockCall, run: StoredObject): unknown {
  return list(call, call.path, [stepOf(run)]);
}

function stepOf(run: StoredObject): StoredObject {
  return {
    id: run.id.replace('run_', 'step_'),
    object: 'thread.run.step',
    created_at: CREATED_S,
    run_id: run.id,
    assistant_id: run.assistant_id,
    thread_id: run.thread_id,
    type: 'message_creation',
    status: run.status === 'completed' ? 'completed' : 'in_progress',
    step_details: { type: 'message_creation', message_creation: { message_id: run.message_id ?? null } },
    usage: run.usage,
  };
}

function withThread(call: MockCall, use: () => Answer): Answer {
  return withObject(call, 'thread', use, `/threads/${call.ids[0]}`);
}

function withRun(call: MockCall, use: (run: StoredObject) => Answer): Answer {
  return withObject(call, 'run', use, `/threads/${call.ids[0]}/runs/${call.ids[1]}`);
}

function event(name: string, value: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(value)}\n\n`;
}
