/** The configuration that is in effect, as it may be shown: secrets and the passwords in URLs as ***. */
import type { Loaded } from './load.ts';
import type { Source } from './option-reader.ts';
import { OPTIONS, type OptionName } from './schema.ts';

export interface EffectiveOption {
  readonly env: string;
  /** null: unset. */
  readonly value: string | number | boolean | null;
  readonly source: Source;
}

const HIDDEN = '***';

export function effectiveOptions({ config, sources }: Loaded): EffectiveOption[] {
  return (Object.keys(OPTIONS) as OptionName[]).map((name) => ({
    env: OPTIONS[name].env,
    value: shownValue(config[name], OPTIONS[name].secret),
    source: sources[name],
  }));
}

/** By name in lower case, as in the TOML file: `bve check --json` and GET /admin/config. */
export function effectiveToJson(options: readonly EffectiveOption[]) {
  return Object.fromEntries(options.map(({ env, value, source }) => [env.toLowerCase(), { value, source }]));
}

function shownValue(value: string | number | boolean | undefined, isSecret: boolean): EffectiveOption['value'] {
  if (value === undefined) return null;
  if (isSecret) return HIDDEN;
  return typeof value === 'string' ? withoutPasswords(value) : value;
}

/**
 * Of a URL the user's name stays. A password may hold any character when it was not escaped, so it goes on to the last
 * @; parameters such as `?password=` are hidden too. A SQLite path has neither.
 */
function withoutPasswords(text: string): string {
  const [, scheme, rest] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(text) ?? [];
  if (scheme === undefined || scheme === 'sqlite') return text;
  const at = rest!.lastIndexOf('@');
  const [user, ...password] = rest!.slice(0, Math.max(0, at)).split(':');
  const credentials = at === -1 ? '' : `${user}${password.length === 0 ? '' : `:${HIDDEN}`}@`;
  const address = rest!.slice(at + 1).replace(/([?&][^=&]*(?:pass|secret|token|key)[^=&]*=)[^&]*/gi, `$1${HIDDEN}`);
  return `${scheme}://${credentials}${address}`;
}
