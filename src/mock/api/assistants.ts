/** Assistants, threads and their messages; runs.ts has the runs. */
import { CREATED_S, fieldsOf } from '../completion.ts';
import { create, type Resource, routesOf } from '../resource.ts';
import type { MockCall, MockRoute } from '../route.ts';

const THREADS: Resource = {
  path: '/threads',
  object: 'thread',
  idPrefix: 'thread_',
  calls: ['retrieve', 'update', 'delete'],
  create: ({ fields }) => ({ metadata: fields.metadata ?? {}, tool_resources: fields.tool_resources ?? {} }),
};

const MESSAGES: Resource = {
  path: '/threads/{thread}/messages',
  object: 'thread.message',
  idPrefix: 'msg_',
  calls: ['create', 'list', 'retrieve', 'update', 'delete'],
  create: (call) => messageFields(call.ids[0]!, call.fields),
};

export const assistantRoutes: readonly MockRoute[] = [
  ...routesOf({
    path: '/assistants',
    object: 'assistant',
    idPrefix: 'asst_',
    calls: ['create', 'list', 'retrieve', 'update', 'delete'],
    create: ({ fields }) => ({
      name: fields.name ?? null,
      description: fields.description ?? null,
      model: fields.model ?? null,
      instructions: fields.instructions ?? null,
      tools: fields.tools ?? [],
      tool_resources: fields.tool_resources ?? {},
      metadata: fields.metadata ?? {},
      temperature: 1,
      top_p: 1,
      response_format: 'auto',
    }),
  }),
  ...routesOf(THREADS),
  ...routesOf(MESSAGES),
];

/** A new thread with the messages of the request. */
export function createThread(call: MockCall, fields: Readonly<Record<string, unknown>>) {
  const thread = create({ ...call, fields }, THREADS, THREADS.path);
  const messages = Array.isArray(fields.messages) ? fields.messages : [];
  for (const [i, message] of messages.entries()) addMessage(call, thread.id, fieldsOf(message), i);
  return thread;
}

export function addMessage(call: MockCall, thread: string, fields: Readonly<Record<string, unknown>>, number = 0) {
  const collection = `/threads/${thread}/messages`;
  const message = {
    id: call.objects.freeId(collection, 'msg_', `${number} ${JSON.stringify(fields)}`),
    object: MESSAGES.object,
    ...messageFields(thread, fields),
  };
  call.objects.put(collection, message);
  return message;
}

function messageFields(thread: string, fields: Readonly<Record<string, unknown>>) {
  const { content, role, metadata, attachments, assistant_id, run_id } = fields;
  const text = { type: 'text', text: { value: content ?? '', annotations: [] } };
  return {
    created_at: CREATED_S,
    thread_id: thread,
    role: role ?? 'user',
    content: Array.isArray(content) ? content : [text],
    attachments: attachments ?? [],
    metadata: metadata ?? {},
    assistant_id: assistant_id ?? null,
    run_id: run_id ?? null,
  };
}
