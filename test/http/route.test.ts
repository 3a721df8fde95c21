import { describe, expect, test } from 'bun:test';
import { matchesPath, pathOf, RouteTable } from '../../src/http/route.ts';

describe('a path is that of a route', () => {
  test.each([
    ['/', '/'],
    ['/v1/models', '/v1/models'],
    ['/v1/responses/:id', '/v1/responses/r1'],
    ['/v1/responses/:id/cancel', '/v1/responses/r1/cancel'],
    ['/v1/models/*', '/v1/models/a'],
    ['/v1/models/*', '/v1/models/a/b/c'],
    ['/dashboard/', '/dashboard/'],
  ])('%s is that of %s', (pattern, path) => {
    expect(matchesPath(pattern, path)).toBe(true);
  });

  test.each([
    ['/', ''],
    ['/', '//'],
    ['/v1/models', '/v1/models/'],
    ['/v1/models', '/v1/Models'],
    ['/v1/models', '/v1/models/a'],
    ['/v1/responses/:id', '/v1/responses/'],
    ['/v1/responses/:id', '/v1/responses/a/b'],
    ['/v1/responses/:id/cancel', '/v1/responses//cancel'],
    ['/v1/models/*', '/v1/models'],
    ['/v1/models/*', '/v1/models/'],
    ['/v1/models/*', '/v1/models/a/'],
    ['/v1/models/*', '/v1/models/a//b'],
    ['/v1/:a', '/v1/*/x'],
  ])('%s is not that of %s', (pattern, path) => {
    expect(matchesPath(pattern, path)).toBe(false);
  });
});

test('the path of a URL, whatever its host, query and fragment', () => {
  for (const [url, path] of [
    ['http://h/a/b?c=/d#e', '/a/b'],
    ['http://[::1]:80/a#?b', '/a'],
    ['http://h/', '/'],
    ['/a?b', '/a'],
    ['/', '/'],
  ] as const) {
    expect(pathOf(url)).toBe(path);
  }
});

describe('a table of routes', () => {
  const table = new RouteTable([
    { method: 'GET', path: '/' },
    { method: 'POST', path: '/v1/chat/completions' },
    { method: 'GET', path: '/v1/chat/completions' },
    { method: 'POST', path: '/v1/messages' },
    { method: 'GET', path: '/v1/models' },
    { method: 'GET', path: '/v1/models/*' },
  ]);
  const refused = (method: string, path: string) => table.refusalOf(new Request(`http://h${path}`, { method }));

  test('has HEAD wherever it has GET, and each method once', () => {
    expect(table.methodsOf('/v1/models/a/b')).toEqual(['GET', 'HEAD']);
    expect(table.methodsOf('/v1/chat/completions')).toEqual(['POST', 'GET', 'HEAD']);
    expect(table.methodsOf('/v1/nothing')).toEqual([]);
  });

  test('refuses another method of a path that exists with 405, and names those that there are', () => {
    const { code, message, allow } = refused('PUT', '/v1/chat/completions');
    expect([code, allow]).toEqual(['method_not_allowed', 'POST, GET, HEAD']);
    expect(message).toBe('Method PUT is not allowed, use POST or GET');
  });

  test.each([
    ['/chat/completions', ': the base URL must end in /v1'],
    ['/v1/chat/completions/chat/completions', ': the base URL must end in /v1'],
    ['/v1/v1/messages', ': the base URL must not end in /v1'],
    ['/v1/v1/v1/models/a', ': the base URL must not end in /v1'],
    ['/proxy/v1/v1/messages', ': the base URL must not end in /v1'],
    ['/proxy/v1/messages', ''],
    ['/nothing', ''],
    ['/v1', ''],
    ['/v1/nothing', ''],
    ['/v1/nothing/models', ''],
    ['/v1/messages/', ''],
  ])('%s does not exist%s', (path, hint) => {
    expect(refused('POST', path).message).toBe(`Route POST ${path} not found${hint}`);
  });
});
