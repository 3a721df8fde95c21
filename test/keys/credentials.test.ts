import { expect, test } from 'bun:test';
import { bearer } from '@elysiajs/bearer';
import { Elysia } from 'elysia';
import { bearerToken, type Credentials, readCredentials } from '../../src/keys/credentials.ts';
import { newSecret } from '../../src/keys/key.ts';

const KEY = newSecret();
const OTHER = newSecret();
const FOUND: Credentials = { kind: 'key', key: KEY };

function read(headers: Record<string, string>): Credentials {
  return readCredentials({ get: (name) => headers[name] ?? null });
}

test('the scheme is accepted in any case', () => {
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) {
    expect(read({ authorization: `${scheme} ${KEY}` })).toEqual(FOUND);
  }
});

test('one space or more stand between scheme and key', () => {
  for (const gap of [' ', '  ', ' '.repeat(1_000)])
    expect(read({ authorization: `Bearer${gap}${KEY}` })).toEqual(FOUND);
  for (const gap of ['', '\t', ' \t', '\t ', '\u00a0', ',', '=', ':', 'X', '_']) {
    expect(read({ authorization: `Bearer${gap}${KEY}` })).toEqual({ kind: 'invalid' });
  }
});

test('no header and an empty header are missing credentials, all else that is no key is invalid', () => {
  expect(read({})).toEqual({ kind: 'missing' });
  expect(read({ authorization: '' })).toEqual({ kind: 'missing' });
  const invalid = [
    'Bearer',
    'Bearer ',
    KEY,
    ` Bearer ${KEY}`,
    `Basic ${KEY}`,
    `Token ${KEY}`,
    `Bearer ${KEY} `,
    `Bearer ${KEY}, Bearer ${KEY}`,
    `Bearer "${KEY}"`,
    `Bearer Bearer ${KEY}`,
    `Bearer ${KEY.toUpperCase()}`,
    'Bearer sk-something-else',
    `Bearer ${KEY}0`,
    `B\u0435arer ${KEY}`,
  ];
  for (const authorization of invalid) expect(read({ authorization })).toEqual({ kind: 'invalid' });
});

test('x-api-key counts only when there is no Authorization', () => {
  expect(read({ 'x-api-key': KEY })).toEqual(FOUND);
  expect(read({ 'x-api-key': '' })).toEqual({ kind: 'missing' });
  expect(read({ 'x-api-key': 'sk-ant-something' })).toEqual({ kind: 'invalid' });
  expect(read({ 'x-api-key': `Bearer ${KEY}` })).toEqual({ kind: 'invalid' });
  expect(read({ authorization: `Bearer ${KEY}`, 'x-api-key': OTHER })).toEqual(FOUND);
  expect(read({ authorization: 'Basic abc', 'x-api-key': KEY })).toEqual({ kind: 'invalid' });
  expect(read({ authorization: '', 'x-api-key': KEY })).toEqual(FOUND);
});

test('real Headers can be read', () => {
  expect(readCredentials(new Headers({ Authorization: `Bearer ${KEY}` }))).toEqual(FOUND);
  expect(readCredentials(new Headers({ Authorization: `  bearer  ${KEY}  ` }))).toEqual(FOUND);
});

test('a megabyte of spaces or of letters is read in linear time', () => {
  const started = performance.now();
  for (const filler of [' ', 'a', 'bearer ']) {
    const authorization = `Bearer ${filler.repeat(1_000_000)}`;
    expect(read({ authorization })).toEqual({ kind: 'invalid' });
  }
  // Quadratic time would be minutes.
  expect(performance.now() - started).toBeLessThan(5_000);
});

const elysia = new Elysia().use(bearer()).get('/', ({ bearer }) => JSON.stringify(bearer ?? null));

async function elysiaReads(headers: Record<string, string>, path = '/'): Promise<string | null> {
  return (await elysia.handle(new Request(`http://gateway${path}`, { headers }))).json() as Promise<string | null>;
}

test('what @elysiajs/bearer wrongly accepts is refused', async () => {
  for (const separator of ['X', ',', '=', ':', '\t', '-']) {
    const authorization = `Bearer${separator}${KEY}`;
    expect(await elysiaReads({ authorization })).toBe(KEY);
    expect(read({ authorization })).toEqual({ kind: 'invalid' });
  }
  expect(await elysiaReads({}, `/?access_token=${KEY}`)).toBe(KEY);
  expect(read({})).toEqual({ kind: 'missing' });
  expect(await elysiaReads({ authorization: 'Basic abc' }, `/?access_token=${KEY}`)).toBe(KEY);
  expect(read({ authorization: 'Basic abc' })).toEqual({ kind: 'invalid' });
});

test('where a header is well formed @elysiajs/bearer reads the same token', async () => {
  for (const token of [KEY, OTHER, 'a', 'a.b-c_d~e+f/g==', 'sk-1234']) {
    const authorization = `Bearer ${token}`;
    expect(await elysiaReads({ authorization })).toBe(token);
    expect(bearerToken(authorization)).toBe(token);
  }
  for (const authorization of ['Basic YTpi', 'Digest x', 'Token y']) {
    expect(await elysiaReads({ authorization })).toBeNull();
    expect(bearerToken(authorization)).toBe('');
  }
});

test('what the contract allows and @elysiajs/bearer does not read is accepted', async () => {
  for (const authorization of [`bearer ${KEY}`, `BEARER ${KEY}`, `Bearer  ${KEY}`]) {
    expect(await elysiaReads({ authorization })).not.toBe(KEY);
    expect(bearerToken(authorization)).toBe(KEY);
  }
});
