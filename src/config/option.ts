/** One option of the gateway, and the ways to declare one. */
import { headerSafe, type Reader, type TomlKind } from './option-text.ts';

export interface Option<T> {
  readonly env: string;
  readonly help: string;
  /** Shown as `***`, and never taken from a flag, because flags can be read by every user of the machine. */
  readonly secret: boolean;
  readonly required: boolean;
  /** The TOML type. A number or boolean may also be written as text. */
  readonly toml: TomlKind;
  /** The text that stands for the default, as a user would write it; undefined when there is none. */
  readonly defaultText: string | undefined;
  /** @throws Error whose message completes the sentence "NAME …" */
  readonly parse: (text: string) => T;
}

export function option<T>(env: string, defaultText: string, help: string, { toml, parse }: Reader<T>): Option<T> {
  return { env, help, secret: false, required: false, toml, defaultText, parse };
}

export function optional<T>(env: string, help: string, { toml, parse }: Reader<T>): Option<T | undefined> {
  return { env, help, secret: false, required: false, toml, defaultText: undefined, parse };
}

export function secret(env: string, help: string, required: true): Option<string>;
export function secret(env: string, help: string, required: false): Option<string | undefined>;
export function secret(env: string, help: string, required: boolean): Option<string> {
  return { env, help, secret: true, required, toml: 'text', defaultText: undefined, parse: headerSafe };
}

export function secretList(env: string, help: string): Option<readonly string[] | undefined> {
  const parse = (text: string) => {
    const values = text.split(',').map((value) => value.trim());
    if (values.includes('')) throw new Error('must not have an empty entry');
    if (new Set(values).size < values.length) throw new Error('must not have the same key twice');
    return values.map(headerSafe);
  };
  return { env, help, secret: true, required: false, toml: 'text', defaultText: undefined, parse };
}
