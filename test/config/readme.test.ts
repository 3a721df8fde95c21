import { expect, test } from 'bun:test';
import { join } from 'node:path';
import { OPTIONS } from '../../src/config/schema.ts';

/** What the README says in place of a default. */
const NO_DEFAULT = ['unset', 'required', 'one is required', 'see below'];
/** Refused in this version, whatever its value. */
const NOT_OFFERED = ['REDIS_URL'];

test('the table of options in the README has every option with its default, and no other', async () => {
  const readme = await Bun.file(join(import.meta.dir, '../../README.md')).text();
  const shown: Record<string, string | undefined> = {};
  for (const [, names, defaults] of readme.matchAll(/^\| ([A-Z][A-Z0-9_]+(?:, [A-Z0-9_]+)*) +\| ([^|]*?) *\|/gm)) {
    const texts = defaults!.split(', ');
    names!.split(', ').forEach((name, i) => {
      const text = texts.length === 1 ? texts[0]! : texts[i]!;
      shown[name] = NO_DEFAULT.includes(text) ? undefined : text.replace('empty', '');
    });
  }
  const offered = Object.values(OPTIONS).filter(({ env }) => !NOT_OFFERED.includes(env));
  expect(shown).toEqual(Object.fromEntries(offered.map(({ env, defaultText }) => [env, defaultText])));
});
