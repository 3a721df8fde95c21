/** An endpoint of the mock, and the table that finds it for a request. */
import { type Answer, errorAnswer } from './answer.ts';
import type { FormFile } from './form.ts';
import type { ObjectStore } from './objects.ts';
import type { ReceivedRequest } from './received-request.ts';
import type { Scenario } from './scenario.ts';

export interface MockCall {
  readonly request: ReceivedRequest;
  readonly scenario: Scenario;
  /** Without /v1 and query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** The values of the `{…}` of the route, decoded. */
  readonly ids: readonly string[];
  /** Of the JSON body or the form; fields of a form are strings. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly files: readonly FormFile[];
  readonly objects: ObjectStore;
}

export interface MockRoute {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `{…}` matches any one segment, `{…*}` at the end one or more. */
  readonly path: string;
  readonly answer: (call: MockCall) => Answer;
}

/** The answer when an object does not exist. */
export function notFound(call: MockCall, what: string, id: string): Answer {
  return errorAnswer(404, `No ${what} found with id '${id}'.`, null, call.path);
}

export class MockRoutes {
  readonly #exact = new Map<string, MockRoute>();
  readonly #patterns: { readonly route: MockRoute; readonly segments: readonly string[] }[] = [];

  constructor(routes: readonly MockRoute[]) {
    for (const route of routes) {
      if (!route.path.includes('{')) this.#exact.set(`${route.method} ${route.path}`, route);
      else this.#patterns.push({ route, segments: route.path.split('/') });
    }
  }

  /** Exact routes win over patterns, earlier patterns over later ones. */
  find(method: string, path: string): { readonly route: MockRoute; readonly ids: readonly string[] } | undefined {
    const exact = this.#exact.get(`${method} ${path}`);
    if (exact) return { route: exact, ids: [] };
    const given = path.split('/');
    for (const { route, segments } of this.#patterns) {
      const ids = route.method === method ? match(segments, given) : undefined;
      if (ids) return { route, ids };
    }
    return undefined;
  }
}

function match(segments: readonly string[], given: readonly string[]): string[] | undefined {
  const open = segments.at(-1)!.endsWith('*}');
  if (open ? given.length < segments.length : given.length !== segments.length) return undefined;
  const ids: string[] = [];
  for (const [i, segment] of segments.entries()) {
    const text = given[i]!;
    if (!segment.startsWith('{')) {
      if (segment !== text) return undefined;
    } else if (text === '') return undefined;
    else ids.push(decoded(segment.endsWith('*}') ? given.slice(i).join('/') : text));
  }
  return ids;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
