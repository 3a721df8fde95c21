/** How the text of an option's value is read, and what is said of one that is refused. */
import { availableParallelism } from 'node:os';
import { parseRedisUrl } from '../limits/redis/redis-url.ts';

export type TomlKind = 'text' | 'number' | 'true/false';

/** How the text of an option is read. */
export interface Reader<T> {
  readonly toml: TomlKind;
  /** @throws Error whose message completes the sentence "NAME …" */
  readonly parse: (text: string) => T;
}

/** How much of an invalid value a message repeats. */
const SHOWN_CHARACTERS_MAX = 64;
/** Far more than a machine has cores. */
const WORKERS_MAX = 1024;

export const TRUE_OR_FALSE: Reader<boolean> = {
  toml: 'true/false',
  parse(text) {
    if (text === 'true' || text === 'false') return text === 'true';
    throw new Error(`must be true or false, not '${shortened(text)}'`);
  },
};

/** How many processes: a number, or the cores of the machine. */
export const WORKERS: Reader<number> = {
  toml: 'number',
  parse(text) {
    if (text === 'auto') return availableParallelism();
    const value = /^\d{1,4}$/.test(text) ? Number(text) : 0;
    if (value >= 1 && value <= WORKERS_MAX) return value;
    throw new Error(`must be auto or a whole number from 1 to ${WORKERS_MAX}, not '${shortened(text)}'`);
  },
};

export function text<T>(parse: (text: string) => T): Reader<T> {
  return { toml: 'text', parse };
}

/** Secrets are sent in header fields. A line break or a space is a copy mistake; it should fail now, not at the first request. */
export function headerSafe(text: string): string {
  if (text === '') throw new Error('must not be empty');
  if (!/^[\x21-\x7e]+$/.test(text)) throw new Error('must be printable ASCII without spaces');
  return text;
}

export function integer(min: number, max: number): Reader<number> {
  return {
    toml: 'number',
    parse(text) {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= min && value <= max) return value;
      throw new Error(`must be a whole number from ${min} to ${max}, not '${shortened(text)}'`);
    },
  };
}

/** A number from 0 to 1. */
export function share(): Reader<number> {
  return {
    toml: 'number',
    parse(text) {
      const value = /^(\d{1,15}(\.\d{0,15})?|\.\d{1,15})$/.test(text) ? Number(text) : Number.NaN;
      if (value >= 0 && value <= 1) return value;
      throw new Error(`must be a number from 0 to 1, not '${shortened(text)}'`);
    },
  };
}

export function oneOf<T extends string>(values: readonly T[]): Reader<T> {
  return text((given) => {
    const value = values.find((candidate) => candidate === given);
    if (value === undefined) throw new Error(`must be one of ${values.join(', ')}, not '${shortened(given)}'`);
    return value;
  });
}

function shortened(text: string): string {
  return text.length <= SHOWN_CHARACTERS_MAX ? text : `${text.slice(0, SHOWN_CHARACTERS_MAX)}…`;
}

/** Without a trailing slash, so that paths can be appended. */
export function parseBaseUrl(text: string): string {
  const url = URL.parse(text);
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new Error('must be an http:// or https:// URL');
  if (url.username || url.password) throw new Error('must not contain credentials');
  if (url.search || url.hash) throw new Error('must not have a query or a fragment');
  return url.href.replace(/\/+$/, '');
}

export function parseDatabaseUrl(text: string): string {
  if (!/^(sqlite|postgres|postgresql):\/\/.+/.test(text)) {
    throw new Error('must be sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/DATABASE');
  }
  return text;
}

export function parseNonEmpty(text: string): string {
  if (text.trim() === '') throw new Error('must not be empty');
  return text;
}

/** The text, if `parseRedisUrl` can read it. */
export function checkedRedisUrl(text: string): string {
  parseRedisUrl(text);
  return text;
}
