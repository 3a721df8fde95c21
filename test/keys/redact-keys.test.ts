import { describe, expect, test } from 'bun:test';
import { newSecret, prefixOf } from '../../src/keys/key.ts';
import { holdsKey, redactKeys, redactPath } from '../../src/keys/redact-keys.ts';

const KEY = newSecret();

describe('redactKeys', () => {
  test('takes whole keys and beginnings of them out of a text', () => {
    expect(redactKeys(`a ${KEY}, b`)).toBe('a sk-bve-[redacted], b');
    expect(redactKeys(`${KEY}${KEY} ${KEY.toUpperCase()}`)).not.toContain(KEY.slice(20));
    expect(redactKeys(KEY.slice(0, 30))).toBe('sk-bve-[redacted]');
  });

  test('leaves what keys are recognised by, and any other text', () => {
    for (const text of [prefixOf(KEY), 'sk-bve-…', 'sk-proj-0123456789', 'gpt-4o', ''])
      expect(redactKeys(text)).toBe(text);
  });
});

describe('a path', () => {
  const escaped = KEY.replaceAll('-', '%2D');

  test('with a key in it, escaped or not, is told without', () => {
    for (const key of [KEY, escaped, escaped.replaceAll('%', '%25'), KEY.replace('s', '%73')]) {
      expect(holdsKey(`/v1/${key}`)).toBeTrue();
      expect(redactPath(`/v1/${key}/x`)).toBe('/v1/sk-bve-[redacted]/x');
    }
    expect(redactPath(`/v1/%zz/${escaped}`)).toBe('/v1/%zz/sk-bve-[redacted]');
  });

  test('without one is told as it is', () => {
    expect(redactPath('/v1/caf%C3%A9/%zz')).toBe('/v1/caf%C3%A9/%zz');
    expect(holdsKey('/v1/caf%C3%A9/%zz')).toBeFalse();
  });
});
