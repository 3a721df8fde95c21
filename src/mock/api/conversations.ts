/** Conversations and their items. */
import { json } from '../answer.ts';
import { CREATED_S, fieldsOf } from '../completion.ts';
import { routesOf, withObject } from '../resource.ts';
import type { MockCall, MockRoute } from '../route.ts';

const ITEMS = '/conversations/{conversation}/items';

export const conversationRoutes: readonly MockRoute[] = [
  ...routesOf({
    path: '/conversations',
    object: 'conversation',
    idPrefix: 'conv_',
    calls: ['create', 'retrieve', 'update', 'delete'],
    create: ({ fields }) => ({ metadata: fields.metadata ?? {} }),
  }),
  {
    method: 'POST',
    path: ITEMS,
    answer: (call) => withObject(call, 'conversation', () => json(addItems(call)), parentOf(call.path)),
  },
  ...routesOf({
    path: ITEMS,
    object: 'conversation.item',
    idPrefix: 'msg_',
    calls: ['list', 'retrieve'],
    create: () => ({}),
  }),
  {
    method: 'DELETE',
    path: `${ITEMS}/{id}`,
    answer: (call) => withObject(call, 'item', ({ id }) => json(removeItem(call, id))),
  },
];

function addItems(call: MockCall): unknown {
  const given = Array.isArray(call.fields.items) ? call.fields.items : [];
  const added = given.map((item, i) => {
    const id = call.objects.freeId(call.path, 'msg_', `${i} ${JSON.stringify(item)}`);
    const stored = { type: 'message', status: 'completed', ...fieldsOf(item), id };
    call.objects.put(call.path, stored);
    return stored;
  });
  return {
    object: 'list',
    data: added,
    first_id: added[0]?.id ?? null,
    last_id: added.at(-1)?.id ?? null,
    has_more: false,
  };
}

/** The answer is the conversation. */
function removeItem(call: MockCall, id: string): unknown {
  const items = parentOf(call.path);
  call.objects.delete(items, id);
  const [, conversation] = call.path.split('/').slice(1) as [string, string];
  return (
    call.objects.get('/conversations', conversation) ?? {
      id: conversation,
      object: 'conversation',
      created_at: CREATED_S,
    }
  );
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
