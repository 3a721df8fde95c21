/** Vector stores, the files in them, and batches of files. */
import { type Answer, json } from '../answer.ts';
import { CREATED_S } from '../completion.ts';
import { list, routesOf, withObject } from '../resource.ts';
import type { MockCall, MockRoute } from '../route.ts';

const FILES = '/vector_stores/{store}/files';
const BATCHES = '/vector_stores/{store}/file_batches';

export const vectorStoreRoutes: readonly MockRoute[] = [
  ...routesOf({
    path: '/vector_stores',
    object: 'vector_store',
    idPrefix: 'vs_',
    calls: ['create', 'list', 'retrieve', 'update', 'delete'],
    create: ({ fields }) => ({
      name: fields.name ?? '',
      status: 'completed',
      usage_bytes: 0,
      file_counts: counts(Array.isArray(fields.file_ids) ? fields.file_ids.length : 0),
      metadata: fields.metadata ?? {},
      last_active_at: CREATED_S,
    }),
  }),
  { method: 'POST', path: '/vector_stores/{store}/search', answer: search },
  {
    method: 'POST',
    path: FILES,
    answer: (call) => withStore(call, (id) => json(addFile(call, id, call.fields.file_id))),
  },
  ...routesOf({
    path: FILES,
    object: 'vector_store.file',
    idPrefix: 'file-',
    calls: ['list', 'retrieve', 'update', 'delete'],
    create: () => ({}),
  }),
  { method: 'GET', path: `${FILES}/{file}/content`, answer: content },
  { method: 'POST', path: BATCHES, answer: (call) => withStore(call, (id) => json(addBatch(call, id))) },
  ...routesOf({
    path: BATCHES,
    object: 'vector_store.files_batch',
    idPrefix: 'vsfb_',
    calls: ['retrieve'],
    create: () => ({}),
  }),
  { method: 'POST', path: `${BATCHES}/{batch}/cancel`, answer: (call) => withBatch(call, (batch) => json(batch)) },
  {
    method: 'GET',
    path: `${BATCHES}/{batch}/files`,
    answer: (call) => withBatch(call, () => json(list(call, `/vector_stores/${call.ids[0]}/files`))),
  },
];

function search(call: MockCall): Answer {
  const { query } = call.fields;
  return withStore(call, () =>
    json({
      object: 'vector_store.search_results.page',
      search_query: Array.isArray(query) ? query : [query],
      data: [
        {
          file_id: 'file-mock',
          filename: 'mock.txt',
          score: 0.5,
          attributes: {},
          content: [{ type: 'text', text: 'mock' }],
        },
      ],
      has_more: false,
      next_page: null,
    }),
  );
}

function addFile(call: MockCall, store: string, fileId: unknown) {
  const file = {
    id: String(fileId),
    object: 'vector_store.file',
    created_at: CREATED_S,
    vector_store_id: store,
    status: 'completed',
    usage_bytes: 0,
    last_error: null,
    attributes: call.fields.attributes ?? {},
  };
  call.objects.put(`/vector_stores/${store}/files`, file);
  return file;
}

function addBatch(call: MockCall, store: string) {
  const ids = Array.isArray(call.fields.file_ids) ? call.fields.file_ids : [];
  for (const id of ids) addFile(call, store, id);
  const batch = {
    id: call.objects.freeId(call.path, 'vsfb_', call.request.body),
    object: 'vector_store.files_batch',
    created_at: CREATED_S,
    vector_store_id: store,
    status: 'completed',
    file_counts: counts(ids.length),
  };
  call.objects.put(call.path, batch);
  return batch;
}

function content(call: MockCall): Answer {
  const data = [{ type: 'text', text: 'mock' }];
  const page = { object: 'vector_store.file_content.page', data, has_more: false, next_page: null };
  return withObject(call, 'file', () => json(page), call.path.slice(0, -'/content'.length));
}

function withStore(call: MockCall, use: (id: string) => Answer): Answer {
  return withObject(call, 'vector store', ({ id }) => use(id), `/vector_stores/${call.ids[0]}`);
}

function withBatch(call: MockCall, use: (batch: object) => Answer): Answer {
  return withObject(call, 'file batch', use, call.path.split('/').slice(0, -1).join('/'));
}

function counts(completed: number) {
  return { in_progress: 0, completed, failed: 0, cancelled: 0, total: completed };
}
