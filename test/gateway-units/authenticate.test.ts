import { expect, test } from 'bun:test';
import { authenticate } from '../../src/gateway/authenticate.ts';
import { newSecret } from '../../src/keys/key.ts';
import type { KeyDirectory } from '../../src/keys/key-cache.ts';

/** Whom nobody may ask. */
const DIRECTORY: KeyDirectory = {
  lookup: () => {
    throw new Error('looked up');
  },
};

function codeOf(headers: Record<string, string>): string {
  const request = new Request('http://gateway/v1/messages', { headers });
  try {
    void authenticate(request, DIRECTORY);
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'authenticated';
}

test('what cannot be a key is refused before anybody looks for it, whatever its length', () => {
  for (const text of ['sk-bve-', newSecret().toUpperCase(), 'x'.repeat(71), 'x'.repeat(1_000_000)]) {
    expect(codeOf({ authorization: `Bearer ${text}` })).toBe('invalid_api_key');
    expect(codeOf({ 'x-api-key': text })).toBe('invalid_api_key');
  }
  expect(codeOf({})).toBe('missing_api_key');
});

test('what has the form of a key is looked for', () => {
  expect(codeOf({ authorization: `Bearer ${newSecret()}` })).toBe('Error: looked up');
});
