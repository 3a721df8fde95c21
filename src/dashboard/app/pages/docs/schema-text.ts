/** The type of a schema in few words, its bounds, and a value that fits it. */
import { nameOfRef, type OpenApiDocument, resolve, type Schema } from './openapi.ts';

/** `string`, `integer or null`, `array of Key` … */
export function typeText(document: OpenApiDocument, schema: Schema): string {
  const name = nameOfRef(schema);
  const target = resolve<Schema>(document, schema);
  if (target === null) return name ?? 'any';
  const choices = target.anyOf ?? target.oneOf;
  if (choices) return [...new Set(choices.map((choice) => typeText(document, choice)))].join(' or ');
  if (target.const !== undefined) return JSON.stringify(target.const);
  if (target.enum) return target.enum.map((value) => JSON.stringify(value)).join(' | ');
  const types = typeof target.type === 'string' ? [target.type] : (target.type ?? []);
  if (types.includes('array') && typeof target.items === 'object') {
    const items = `array of ${typeText(document, target.items)}`;
    return [items, ...types.filter((type) => type !== 'array')].join(' or ');
  }
  if (name !== null && (types.includes('object') || target.properties)) return name;
  if (types.length > 0) return types.join(' or ');
  return target.properties || target.allOf ? 'object' : 'any';
}

/** "1 to 255 characters", "default 60" … */
export function boundsOf(schema: Schema): string[] {
  const bounds: string[] = [];
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, maxProperties } = schema;
  if (minimum !== undefined || maximum !== undefined) bounds.push(range(minimum, maximum, ''));
  if (minLength !== undefined || maxLength !== undefined)
    bounds.push(range(minLength, maxLength, maxLength === undefined && minLength === 1 ? ' character' : ' characters'));
  if (minItems !== undefined || maxItems !== undefined)
    bounds.push(range(minItems, maxItems, maxItems === undefined && minItems === 1 ? ' item' : ' items'));
  if (maxProperties !== undefined) bounds.push(`at most ${maxProperties} names`);
  if (schema.format !== undefined) bounds.push(schema.format);
  if (schema.pattern !== undefined) bounds.push(`matches ${schema.pattern}`);
  if (schema.default !== undefined) bounds.push(`default ${JSON.stringify(schema.default)}`);
  return bounds;
}

function range(min: number | undefined, max: number | undefined, unit: string): string {
  if (min === undefined) return `at most ${max}${unit}`;
  return max === undefined ? `at least ${min}${unit}` : `${min} to ${max}${unit}`;
}

interface Property {
  readonly name: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** The properties of an object, those of all its parts included; none for anything else. */
export function propertiesOf(document: OpenApiDocument, schema: Schema, depth = 0): Property[] {
  const target = resolve<Schema>(document, schema);
  if (target === null || depth > 8) return [];
  if (typeof target.items === 'object') return propertiesOf(document, target.items, depth + 1);
  const own = Object.entries(target.properties ?? {}).map(([name, property]) => ({
    name,
    schema: property,
    required: target.required?.includes(name) ?? false,
  }));
  const parts = (target.allOf ?? []).flatMap((part) => propertiesOf(document, part, depth + 1));
  // Of several choices the first that is an object; the type says that there are others.
  const choice = (target.anyOf ?? target.oneOf ?? []).map((one) => propertiesOf(document, one, depth + 1));
  return [...own, ...parts, ...(choice.find((properties) => properties.length > 0) ?? [])];
}

/** An example from the schema alone, for where the document has none. */
export function exampleOf(document: OpenApiDocument, schema: Schema, depth = 0): unknown {
  const target = resolve<Schema>(document, schema);
  if (target === null || depth > 6) return null;
  if (target.example !== undefined) return target.example;
  if (target.examples?.[0] !== undefined) return target.examples[0];
  if (target.const !== undefined) return target.const;
  if (target.default !== undefined) return target.default;
  if (target.enum) return target.enum[0];
  const choices = target.anyOf ?? target.oneOf;
  if (choices) return exampleOf(document, choices[0]!, depth + 1);
  const properties = target.properties || target.allOf ? propertiesOf(document, { ...target, items: false }) : [];
  if (properties.length > 0) {
    return Object.fromEntries(properties.map((one) => [one.name, exampleOf(document, one.schema, depth + 1)]));
  }
  switch (typeof target.type === 'string' ? target.type : target.type?.[0]) {
    case 'string':
      return 'string';
    case 'integer':
    case 'number':
      return target.minimum ?? 0;
    case 'boolean':
      return true;
    case 'array':
      return typeof target.items === 'object' ? [exampleOf(document, target.items, depth + 1)] : [];
    case 'object':
      return {};
    default:
      return null;
  }
}
