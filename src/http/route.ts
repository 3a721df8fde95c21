/**
 * Routes as data: one table mounts them, and answers for what is not in it (404, 405, OPTIONS), in both planes.
 *
 * A path is written as Elysia takes it: `:name` stands for one segment, `*` at the end for one or more.
 */
import { GatewayError } from '../errors.ts';
import { redactPath } from '../keys/redact-keys.ts';

export interface Route {
  readonly method: string;
  readonly path: string;
}

export interface Handler extends Route {
  readonly handle: (request: Request) => Response | Promise<Response>;
}

/** The path of a request's URL; never throws, because with a malformed or empty Host header Bun has only a path for a URL. */
export function pathOf(url: string): string {
  const pathStart = url.startsWith('/') ? 0 : url.indexOf('/', url.indexOf('://') + 3);
  return url.slice(pathStart, queryStartOf(url));
}

/** Where the path of a URL ends. */
export function queryStartOf(url: string): number {
  return Math.min(indexOrEnd(url, '?'), indexOrEnd(url, '#'));
}

export function indexOrEnd(text: string, mark: string): number {
  const index = text.indexOf(mark);
  return index === -1 ? text.length : index;
}

/** Whether a path is that of a route. Neither `:name` nor `*` stands for an empty segment, so a trailing slash never matches. */
export function matchesPath(pattern: string, path: string): boolean {
  const expected = pattern.split('/');
  const actual = path.split('/');
  const rest = expected.at(-1) === '*' ? expected.length - 1 : expected.length;
  if (rest === expected.length ? actual.length !== rest : actual.length <= rest) return false;
  return actual.every((part, i) => {
    if (i >= rest) return part !== '';
    return part === expected[i] || (expected[i]![0] === ':' && part !== '');
  });
}

/** The table of routes, and answers about paths and methods. */
export class RouteTable {
  readonly #routes: readonly Route[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes;
  }

  /** The methods that exist for a path, HEAD wherever GET is. None: the path does not exist. */
  methodsOf(path: string): string[] {
    const methods = this.#routes.filter((route) => matchesPath(route.path, path)).map((route) => route.method);
    return [...new Set(methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))];
  }

  /** Why a request found no route: 404, with a hint for the usual mistakes, or 405. */
  refusalOf(request: Request): GatewayError {
    const path = pathOf(request.url);
    const methods = this.methodsOf(path);
    if (methods.length === 0) return routeNotFound(request, this.#hintFor(path));
    const use = methods.filter((method) => method !== 'HEAD').join(' or ');
    const message = `Method ${request.method} is not allowed, use ${use}`;
    return new GatewayError('method_not_allowed', message, { allow: methods.join(', ') });
  }

  /**
   * OpenAI's clients append `/chat/completions` to their base URL, Anthropic's `/v1/messages`: with the base URL of the one
   * in the other, `/v1` is missing or there twice. Others put a whole endpoint there.
   */
  #hintFor(path: string): string {
    const again = path.lastIndexOf('/v1/');
    if (path.slice(0, again).endsWith('/v1') && this.#exists(path.slice(again)))
      return ': the base URL must not end in /v1';
    for (let slash = path.lastIndexOf('/'); slash >= 0; slash = path.lastIndexOf('/', slash - 1)) {
      const isBase = slash === 0 || this.#exists(path.slice(0, slash));
      if (isBase && this.#exists(`/v1${path.slice(slash)}`)) return ': the base URL must end in /v1';
      if (slash === 0) break;
    }
    return '';
  }

  #exists(path: string): boolean {
    return this.methodsOf(path).length > 0;
  }
}

export function routeNotFound(request: Request, hint = ''): GatewayError {
  return new GatewayError(
    'route_not_found',
    `Route ${request.method} ${redactPath(pathOf(request.url))} not found${hint}`,
  );
}
