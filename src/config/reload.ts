/** What of a changed configuration a running gateway takes over. */
import type { Loaded } from './load.ts';
import { type Config, OPTIONS, type OptionName } from './schema.ts';

/** Besides `[[targets]]`. */
const RELOADED: ReadonlySet<OptionName> = new Set(['logLevel', 'fuelixApiKey', 'fuelixApiKeys', 'fuelixBaseUrl']);
const FIXED = (Object.keys(OPTIONS) as OptionName[]).filter((name) => !RELOADED.has(name));

interface Reload {
  /** In effect from now on. */
  readonly current: Loaded;
  /** Names of options that have changed and stay as they were at the start. */
  readonly needRestart: string[];
}

export function reloadOf(started: Loaded, next: Loaded): Reload {
  const config = Object.fromEntries(FIXED.map((name) => [name, started.config[name]]));
  const sources = Object.fromEntries(FIXED.map((name) => [name, started.sources[name]]));
  const isChanged = (name: OptionName) => JSON.stringify(next.config[name]) !== JSON.stringify(started.config[name]);
  return {
    current: { ...next, config: { ...next.config, ...config } as Config, sources: { ...next.sources, ...sources } },
    needRestart: FIXED.filter(isChanged).map((name) => OPTIONS[name].env),
  };
}
