/**
 * The five usual calls on stored objects in OpenAI's API: create, list (with `limit`, `after`, `order`), retrieve, update
 * (POST), delete.
 */
import { type Answer, json } from './answer.ts';
import { CREATED_S } from './completion.ts';
import type { StoredObject } from './objects.ts';
import { type MockCall, type MockRoute, notFound } from './route.ts';

export interface Resource {
  /** The path of its collection: `/threads/{thread}/messages`. */
  readonly path: string;
  /** The `object` of one: `thread.message`. */
  readonly object: string;
  /** The `object` of the answer to a delete, unless it is `OBJECT.deleted`. */
  readonly deletedObject?: string;
  readonly idPrefix: string;
  readonly calls: readonly ('create' | 'list' | 'retrieve' | 'update' | 'delete')[];
  /** The fields of a new object, besides `id`, `object` and `created_at`. */
  readonly create: (call: MockCall) => Readonly<Record<string, unknown>>;
}

const LIST_MAX = 20;

export function routesOf(resource: Resource): MockRoute[] {
  const { path, calls, object } = resource;
  const one = `${path}/{id}`;
  const routes: Readonly<Record<Resource['calls'][number], MockRoute>> = {
    create: { method: 'POST', path, answer: (call) => withParent(call, path, () => json(create(call, resource))) },
    list: { method: 'GET', path, answer: (call) => withParent(call, path, () => json(list(call, call.path))) },
    retrieve: { method: 'GET', path: one, answer: (call) => withObject(call, object, (found) => json(found)) },
    update: {
      method: 'POST',
      path: one,
      answer: (call) => withObject(call, object, (found) => json(update(call, found))),
    },
    delete: {
      method: 'DELETE',
      path: one,
      answer: (call) => withObject(call, object, () => json(remove(call, resource))),
    },
  };
  return calls.map((name) => routes[name]);
}

/** Creates and stores an object in the collection of the call, or another one. */
export function create(
  call: MockCall,
  resource: Omit<Resource, 'path' | 'calls'>,
  collection = call.path,
): StoredObject {
  const content = call.files.length > 0 ? call.files[0]!.bytes : call.request.body;
  const created = {
    id: call.objects.freeId(collection, resource.idPrefix, content),
    object: resource.object,
    created_at: CREATED_S,
    ...resource.create(call),
  };
  call.objects.put(collection, created, call.files[0]?.bytes);
  return created;
}

/** A page of a collection, newest first unless `order=asc`. */
export function list(call: MockCall, collection: string, all = call.objects.list(collection)): unknown {
  const { query } = call;
  const ordered = query.get('order') === 'asc' ? all : all.toReversed();
  const after = ordered.findIndex(({ id }) => id === query.get('after'));
  const limit = Number(query.get('limit') ?? LIST_MAX) || LIST_MAX;
  const data = ordered.slice(after + 1, after + 1 + limit);
  const ends = { first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
  return { object: 'list', data, ...ends, has_more: after + 1 + limit < ordered.length };
}

/** Passes on the object at the path of the call (or another path), or answers 404. */
export function withObject(
  call: MockCall,
  what: string,
  use: (found: StoredObject) => Answer,
  path: string = call.path,
): Answer {
  const [collection, id] = splitPath(path);
  const found = call.objects.get(collection, id);
  return found ? use(found) : notFound(call, what, id);
}

/** A collection below an object needs that object. */
function withParent(call: MockCall, pattern: string, use: () => Answer): Answer {
  const parent = call.path.split('/').slice(0, -1).join('/');
  return pattern.includes('{') ? withObject(call, 'object', use, parent) : use();
}

function update(call: MockCall, found: StoredObject): StoredObject {
  const { id, object, created_at, mock, ...changes } = call.fields;
  const changed = { ...found, ...changes };
  const [collection] = splitPath(call.path);
  call.objects.put(collection, changed, call.objects.content(collection, found.id));
  return changed;
}

function remove(call: MockCall, { object, deletedObject = `${object}.deleted` }: Resource): unknown {
  const [collection, id] = splitPath(call.path);
  call.objects.delete(collection, id);
  return { id, object: deletedObject, deleted: true };
}

function splitPath(path: string): [collection: string, id: string] {
  const at = path.lastIndexOf('/');
  return [path.slice(0, at), path.slice(at + 1)];
}
