import { describe, expect, test } from 'bun:test';
import { modelOf, upstreamTarget } from '../../src/gateway/target.ts';
import { pathOf } from '../../src/http/route.ts';

const CHAT = '/v1/chat/completions';
const MODEL = '/v1/models/*';
const KEY = `sk-bve-${'0'.repeat(64)}`;

const targetOf = (path: string, endpoint: string = CHAT) => upstreamTarget(`http://gateway.test:8080${path}`, endpoint);

describe('the path', () => {
  test('is what stands behind /v1, letter for letter', () => {
    expect(targetOf('/v1/chat/completions')).toBe('/chat/completions');
    expect(targetOf('/v1/models/org%2Fmodel', MODEL)).toBe('/models/org%2Fmodel');
    expect(targetOf('/v1/models/gpt-4o:latest@1,b', MODEL)).toBe('/models/gpt-4o:latest@1,b');
    expect(targetOf('/v1/models/org/model', MODEL)).toBe('/models/org/model');
    expect(targetOf('/v1/models/50%2525', MODEL)).toBe('/models/50%2525');
    expect(targetOf('/v1/models/...', MODEL)).toBe('/models/...');
    expect(targetOf('/v1/models/a..b', MODEL)).toBe('/models/a..b');
  });

  test.each([
    '/v1/models',
    '/v1/models/',
    '/v1/models/a//b',
    '/v1/models/a/',
    '/v1/chat/completions/',
    '/v1/chat',
    '/V1/chat/completions',
    '/',
    '//v1/chat/completions',
  ])('%s is not that of another endpoint', (path) => {
    expect(targetOf(path)).toBeNull();
    expect(targetOf(path, MODEL)).toBeNull();
  });

  test.each([
    '.',
    '..',
    '%2e',
    '%2e%2e',
    '%2E%2e',
    '.%2e',
    '%2e.',
    '..%2fadmin',
    'a%2f..',
    'a%2F%2e%2E%2Fb',
    '..%5cadmin',
    'a%5C..',
    '..\\admin',
    'a\\..\\b',
    '%zz',
    '%',
    '%c3',
    '%ff',
    'a/..',
    'a/%2e%2e/b',
    '%252e%252e',
    '%25252e%25252E',
    '%25252525252525252e%252525252525252e',
    'a%252f..%252fb',
    ';',
    '..;',
    'a;x=1',
    'a%3b',
    'a%253B',
  ])('/v1/models/%s is refused: it could be resolved to something else', (model) => {
    expect(targetOf(`/v1/models/${model}`, MODEL)).toBeNull();
  });

  test('a URL without a host is a path, as Bun has it for a malformed Host header', () => {
    expect(upstreamTarget('/v1/chat/completions?a=1', CHAT)).toBe('/chat/completions?a=1');
    expect(upstreamTarget('/v1/models/..', MODEL)).toBeNull();
    expect(pathOf('/v1/models?x#y')).toBe('/v1/models');
  });

  test('a host that looks like a path is none', () => {
    expect(upstreamTarget('http://v1/v1/chat/completions', CHAT)).toBe('/chat/completions');
    expect(pathOf('http://[::1]:8080/v1/models?a=http://x/y')).toBe('/v1/models');
  });
});

describe('the query', () => {
  test.each(['', '?a=1', '?a=1&a=2', '?b=%2F+%20&&=&c', '?q=a?b/c', '?x=%zz', '?after=caf%C3%A9'])(
    '%s travels on as it is',
    (query) => {
      expect(targetOf(CHAT + query)).toBe(`/chat/completions${query}`);
    },
  );

  test('an empty one is left out, and so is a fragment', () => {
    expect(targetOf(`${CHAT}?`)).toBe('/chat/completions');
    expect(targetOf(`${CHAT}#a?b=1`)).toBe('/chat/completions');
    expect(targetOf(`${CHAT}?a=1#b`)).toBe('/chat/completions?a=1');
  });

  test.each([
    ['as a value', `?key=${KEY}`, ''],
    ['as a name', `?${KEY}`, ''],
    ['with a scheme', `?authorization=Bearer%20${KEY}`, ''],
    ['between others', `?a=1&api_key=${KEY}&b=%20`, '?a=1&b=%20'],
    ['percent-encoded', `?key=${KEY.replace('sk-', '%73%6B%2d')}&a=1`, '?a=1'],
    ['beside a malformed escape', `?bad=%zz&key=%73k-bve-${'0'.repeat(64)}`, '?bad=%zz'],
    ['in the same pair as one', `?key=%zz%73k-bve-${'0'.repeat(64)}`, ''],
    ['twice', `?a=${KEY}&b=${KEY}&c`, '?c'],
    ['cut off', '?key=sk-bve-0123', ''],
  ])('a key of ours %s does not travel on', (_, query, kept) => {
    expect(targetOf(CHAT + query)).toBe(`/chat/completions${kept}`);
  });

  test('a key of somebody else is not ours to take out', () => {
    expect(targetOf(`${CHAT}?key=sk-proj-123`)).toBe('/chat/completions?key=sk-proj-123');
  });
});

test('the model of a target is decoded, without its query', () => {
  expect(modelOf('/models/org%2Fmodel?x=/y')).toBe('org/model');
  expect(modelOf('/models/org/model/v2')).toBe('org/model/v2');
  expect(modelOf('/models/gpt-4o')).toBe('gpt-4o');
});
