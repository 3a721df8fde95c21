/** The effective configuration with secrets, and passwords in URLs, replaced by ***. */
import type { Loaded } from './load.ts';
import type { Source } from './option-reader.ts';
import { type Config, OPTIONS, type OptionName } from './schema.ts';
import type { TargetConfig } from './targets.ts';

export interface EffectiveOption {
  readonly env: string;
  /** null when the option is unset. */
  readonly value: string | number | boolean | null;
  readonly source: Source;
}

const HIDDEN = '***';

export function effectiveOptions({ config, sources, targets, targetsAreTables }: Loaded): EffectiveOption[] {
  const options = (Object.keys(OPTIONS) as OptionName[]).map((name) => ({
    env: OPTIONS[name].env,
    value: shownValue(config[name], OPTIONS[name].secret),
    source: sources[name],
  }));
  if (!targetsAreTables) return options;
  const value = targets.map(shownTarget).join('; ');
  // They stand for these three.
  const replaced = ['FUELIX_API_KEY', 'FUELIX_API_KEYS', 'FUELIX_BASE_URL'];
  return [{ env: 'TARGETS', value, source: 'file' }, ...options.filter(({ env }) => !replaced.includes(env))];
}

function shownTarget({ name, baseUrl, weight, maxConcurrent, models }: TargetConfig): string {
  const limits = [`weight ${weight}`];
  if (maxConcurrent !== null) limits.push(`max_concurrent ${maxConcurrent}`);
  if (models !== null) limits.push(`models ${models.join(' ')}`);
  return `${name} ${baseUrl} (${limits.join(', ')})`;
}

/** The JSON of `bve check --json` and GET /admin/config; the names are the keys of the TOML file. */
export function effectiveToJson(options: readonly EffectiveOption[]) {
  return Object.fromEntries(options.map(({ env, value, source }) => [env.toLowerCase(), { value, source }]));
}

function shownValue(value: Config[OptionName], isSecret: boolean): EffectiveOption['value'] {
  if (value === undefined) return null;
  if (isSecret || typeof value === 'object') return HIDDEN;
  return typeof value === 'string' ? withoutPasswords(value) : value;
}

/**
 * Keeps the user name of a URL. An unescaped password may contain any character, so it extends to the last @. Parameters
 * such as `?password=` are hidden as well. A SQLite path has neither.
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
