/** The flags of `bve keys create` and `update`, derived from the table of key fields. */
import { FIELD_LIST, type KeyField } from '../keys/fields.ts';
import type { KeyChanges } from '../keys/key.ts';
import { type Arguments, type OptionSpec, UsageError } from './command.ts';

const UNLIMITED: OptionSpec = { type: 'boolean', help: 'no limits, except those that are given' };

/** @param withDefaults whether the help shows the default of each field */
export function keyFlags(withDefaults: boolean): Record<string, OptionSpec> {
  const flags = FIELD_LIST.map(([, field]): [string, OptionSpec] => {
    const { value, help, adds, bare } = field.flag;
    const text = withDefaults ? `${help} [${defaultText(field)}]` : help;
    return [
      flagName(field),
      { type: 'string', value, help: text, ...(adds && { multiple: true as const }), ...(bare && { bare }) },
    ];
  });
  return { ...Object.fromEntries(flags), unlimited: UNLIMITED };
}

/** The fields that flags set. @throws UsageError naming the flag */
export function fieldsFrom(args: Arguments): KeyChanges {
  const given = FIELD_LIST.map(([property, field]) => {
    const texts = textsOf(args, flagName(field));
    if (texts.length > 0) return [property, valueFrom(field, texts)] as const;
    return args.flags.unlimited && field.flag.unlimited ? ([property, null] as const) : null;
  });
  return Object.fromEntries(given.filter((entry) => entry !== null));
}

function flagName({ name }: { readonly name: string }): string {
  return name.replaceAll('_', '-');
}

function textsOf(args: Arguments, flag: string): readonly string[] {
  const single = args.flags[flag];
  const texts = args.lists[flag] ?? (single === undefined ? [] : [String(single)]);
  if (texts.includes('')) throw new UsageError(`--${flag} must not be empty`);
  return texts;
}

function valueFrom(field: KeyField<unknown>, texts: readonly string[]): unknown {
  const value = field.parse(together(texts.map((text) => jsonFrom(field, text))));
  if (value === undefined) throw refused(field, texts);
  return value;
}

function jsonFrom(field: KeyField<unknown>, text: string): unknown {
  if (!field.flag.all) return field.fromText(text);
  if (text === 'all') return null;
  return text === 'none' ? undefined : field.fromText(text);
}

/** Concatenates lists, merges objects. */
function together(values: readonly unknown[]): unknown {
  if (values.length === 1) return values[0];
  if (values.every(Array.isArray)) return values.flat();
  return values.includes(undefined) ? undefined : Object.assign({}, ...values);
}

function refused(field: KeyField<unknown>, texts: readonly string[]): UsageError {
  const takes = field.flag.all ? field.takesAsText.replace(/none$/, 'all') : field.takesAsText;
  return new UsageError(`--${flagName(field)} takes ${takes}, not '${texts.join(' ')}'`);
}

function defaultText(field: KeyField<unknown>): string {
  if (field.default === undefined) return 'required';
  return typeof field.default === 'number' ? String(field.default) : field.flag.all ? 'all' : 'none';
}
