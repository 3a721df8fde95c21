import { describe, expect, test } from 'bun:test';
import type { KeyObject } from '../../src/dashboard/app/api/api-types.ts';
import { changedFields, draftOf, fieldsOf, NEW_KEY, problemOf } from '../../src/dashboard/app/pages/keys/key-form.ts';
import { countByStatus, findKeys, shownStatus, sortKeys } from '../../src/dashboard/app/pages/keys/key-list.ts';
import { limitText } from '../../src/dashboard/app/pages/keys/limit-text.ts';
import { makeKeys } from './fake-data.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');
const [KEY] = makeKeys(1, NOW) as [KeyObject];

describe('the form of a key', () => {
  test('sends the defaults of the gateway for a name alone', () => {
    expect(problemOf({ ...NEW_KEY, name: 'alice' })).toBeNull();
    expect(fieldsOf({ ...NEW_KEY, name: ' alice ' })).toEqual({
      name: 'alice',
      rpm_limit: 60,
      rpd_limit: 10_000,
      monthly_limit: null,
      monthly_token_limit: null,
      max_concurrent: null,
      allowed_models: null,
      allowed_endpoints: null,
      inject_stream_usage: null,
      on_leave: null,
      tags: {},
      expires_at: null,
    });
  });

  test('sends what was typed', () => {
    const fields = fieldsOf({
      ...NEW_KEY,
      name: 'x',
      rpm_limit: '',
      max_concurrent: ' 8 ',
      allowed_models: ' gpt-4o \n\n a/b \n',
      allowed_endpoints: ['chat'],
      inject_stream_usage: 'off',
      on_leave: 'drain',
      tags: 'team=search\nnote=a=b',
      expires_at: '2027-01-01T00:00',
    });
    expect(fields).toMatchObject({
      rpm_limit: null,
      max_concurrent: 8,
      allowed_models: ['gpt-4o', 'a/b'],
      allowed_endpoints: ['chat'],
      inject_stream_usage: false,
      on_leave: 'drain',
      tags: { team: 'search', note: 'a=b' },
    });
    expect(Date.parse(fields.expires_at!)).toBe(new Date('2027-01-01T00:00').getTime());
  });

  test('names what is wrong before it is sent', () => {
    const wrong = (change: object) => problemOf({ ...NEW_KEY, name: 'x', ...change });
    expect(wrong({ name: '  ' })).toContain('name');
    for (const value of ['0', '-1', '1.5', 'many', '1e3'])
      expect(wrong({ rpd_limit: value })).toContain('Requests per day');
    expect(wrong({ allowed_endpoints: [] })).toContain('endpoint');
    for (const tag of ['team', 'Team=x', `${'a'.repeat(33)}=x`, `a=${'x'.repeat(65)}`])
      expect(wrong({ tags: tag })).toContain('Tag');
    expect(wrong({ tags: Array.from({ length: 9 }, (_, i) => `t${i}=1`).join('\n') })).toContain('8 tags');
  });

  test('shows a key as it is, and sends only what was changed', () => {
    const key = { ...KEY, expires_at: '2027-05-06T07:08:00.000Z', tags: { team: 'a' }, allowed_models: ['m'] };
    const draft = draftOf(key);
    expect(fieldsOf(draft)).toMatchObject({ expires_at: key.expires_at, tags: key.tags, allowed_models: ['m'] });
    expect(changedFields(draft, draft)).toEqual({});
    expect(changedFields(draft, { ...draft, rpm_limit: '7', tags: '' })).toEqual({ rpm_limit: 7, tags: {} });
  });
});

describe('the list of keys', () => {
  const keys: KeyObject[] = [
    {
      ...KEY,
      id: 'a',
      name: 'Key 10',
      prefix: 'sk-bve-aaaaa',
      status: 'active',
      tags: { team: 'search' },
      expires_at: null,
      created_at: '2026-01-02T00:00:00Z',
      last_used_at: null,
    },
    {
      ...KEY,
      id: 'b',
      name: 'key 9',
      prefix: 'sk-bve-bbbbb',
      status: 'active',
      tags: {},
      expires_at: '2026-11-26T11:59:59Z',
      created_at: '2026-01-03T00:00:00Z',
      last_used_at: '2026-02-01T00:00:00Z',
    },
    {
      ...KEY,
      id: 'c',
      name: 'other',
      prefix: 'sk-bve-ccccc',
      status: 'revoked',
      tags: {},
      expires_at: '2020-01-01T00:00:00Z',
      created_at: '2026-01-01T00:00:00Z',
      last_used_at: '2026-03-01T00:00:00Z',
    },
  ];
  const found = (text: string, status: Parameters<typeof findKeys>[2] = 'all') =>
    findKeys(keys, text, status, NOW).map(({ id }) => id);

  test('is searched by name, tag, prefix and id, all words', () => {
    expect(found('')).toEqual(['a', 'b', 'c']);
    expect(found('KEY')).toEqual(['a', 'b']);
    expect(found('key team=search')).toEqual(['a']);
    expect(found('sk-bve-ccc')).toEqual(['c']);
    expect(found('nothing')).toEqual([]);
  });

  test('calls an active key that is over expired; a revoked one stays revoked', () => {
    expect(keys.map((key) => shownStatus(key, NOW))).toEqual(['active', 'expired', 'revoked']);
    expect(found('', 'expired')).toEqual(['b']);
    expect(countByStatus(keys, NOW)).toEqual({ all: 3, active: 1, suspended: 0, expired: 1, revoked: 1 });
  });

  test('is sorted as people count, and both ways', () => {
    const by = (column: string, descending = false) => sortKeys(keys, { column, descending }).map(({ id }) => id);
    expect(by('name')).toEqual(['b', 'a', 'c']);
    expect(by('created', true)).toEqual(['b', 'a', 'c']);
    expect(by('used')).toEqual(['a', 'b', 'c']);
    expect(by('no such column')).toEqual(['c', 'a', 'b']);
  });

  test('of ten thousand is searched and sorted within a second, on any machine', () => {
    const many = makeKeys(10_000, NOW);
    const startedMs = performance.now();
    sortKeys(findKeys(many, 'search', 'all', NOW), { column: 'name', descending: false });
    expect(performance.now() - startedMs).toBeLessThan(1000);
  });

  test('says limits in few words', () => {
    const none = {
      rpm_limit: null,
      rpd_limit: null,
      monthly_limit: null,
      monthly_token_limit: null,
      max_concurrent: null,
    };
    expect(limitText({ ...KEY, ...none })).toBe('no limits');
    expect(limitText({ ...KEY, ...none, rpm_limit: 60, monthly_token_limit: 25_000_000 })).toBe(
      '60/min · 25M tokens/month',
    );
  });
});
