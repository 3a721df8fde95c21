/** Turns unknown JSON into a Scenario, or reports which field is wrong and what it takes. */
import { FAULT_KINDS, type Fault, FRAMINGS, type Scenario, type ToolCall } from './scenario.ts';

/** The scenario is wrong; the message names the field. */
export class ScenarioError extends Error {
  override name = 'ScenarioError';
}

/** @throws ScenarioError naming the first bad, unknown or contradictory field */
export function parseScenario(value: unknown): Scenario {
  const scenario = fieldsOf(value, 'scenario', CHECKS) as Scenario;
  const bodies = BODIES.filter((name) => scenario[name] !== undefined);
  if (bodies.length > 1) throw new ScenarioError(`${bodies[1]} cannot be combined with ${bodies[0]}: one body only`);
  if (scenario.split !== undefined && scenario.split_at !== undefined) {
    throw new ScenarioError('split_at cannot be combined with split');
  }
  if (scenario.pace === 'recorded') checkRecorded(scenario);
  return scenario;
}

/** A scenario from text, for the command line. @throws ScenarioError */
export function parseScenarioText(text: string): Scenario {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ScenarioError(`not JSON: ${(error as Error).message}`);
  }
  return parseScenario(value);
}

type Check = (value: unknown, field: string) => unknown;

const BODIES = ['replay', 'body', 'body_base64', 'json', 'bytes', 'echo', 'events', 'text'] as const;
const HOUR_MS = 3_600_000;
const BYTES_MAX = 1_099_511_627_776;
const EVENTS_MAX = 100_000_000;

const CHECKS: { readonly [name in keyof Required<Scenario>]: Check } = {
  status: integer(200, 999),
  content_type: headerValue,
  headers: list(header, 100),
  interim: integer(0, 100),
  replay: fileName,
  body: text,
  body_base64: base64,
  json: (value) => value,
  bytes: integer(0, BYTES_MAX),
  echo: flag,
  events: integer(0, EVENTS_MAX),
  text: text,
  event_bytes: integer(0, 1_048_576),
  tool,
  include_usage: flag,
  usage: (value) => value,
  reorder: pair(integer(0, EVENTS_MAX)),
  drop: integer(0, EVENTS_MAX),
  duplicate: integer(0, EVENTS_MAX),
  truncate_after_event: integer(0, EVENTS_MAX),
  head_delay_ms: milliseconds,
  first_delay_ms: milliseconds,
  pace_ms: milliseconds,
  pace: oneOf(['event', 'byte', 'none', 'recorded']),
  speed: factor,
  split: integer(1, BYTES_MAX),
  split_at: list(integer(0, BYTES_MAX), 1_000_000),
  wire_split: integer(1, BYTES_MAX),
  framing: oneOf(FRAMINGS),
  gzip: flag,
  fault,
};

const FAULT_CHECKS: { readonly [name in keyof Required<Fault>]: Check } = {
  kind: oneOf(FAULT_KINDS),
  after_bytes: integer(0, BYTES_MAX),
};

const TOOL_CHECKS: { readonly [name in keyof ToolCall]: Check } = {
  name: text,
  arguments: (value, field) => (typeof value === 'object' && value ? value : refuse(field, 'an object', value)),
};

const KINDS_WITH_AFTER_BYTES: readonly string[] = ['reset', 'end_early', 'silence'];

/** Other fields about time or pieces would silently override the recorded pace, or be ignored. */
function checkRecorded(scenario: Scenario): void {
  if (scenario.replay === undefined) throw new ScenarioError("pace 'recorded' needs a replay");
  const other = (['pace_ms', 'split', 'split_at', 'gzip'] as const).find((name) => scenario[name] !== undefined);
  if (other) throw new ScenarioError(`${other} cannot be combined with pace 'recorded'`);
}

function fault(value: unknown, field: string): unknown {
  const parsed = fieldsOf(value, field, FAULT_CHECKS) as Fault;
  if (parsed.kind === undefined) throw new ScenarioError(`${field}.kind is missing`);
  if (parsed.after_bytes !== undefined && !KINDS_WITH_AFTER_BYTES.includes(parsed.kind)) {
    throw new ScenarioError(`${field}.after_bytes does not apply to kind '${parsed.kind}'`);
  }
  return parsed;
}

function tool(value: unknown, field: string): unknown {
  const parsed = fieldsOf(value, field, TOOL_CHECKS) as Partial<ToolCall>;
  for (const name of ['name', 'arguments'] as const) {
    if (parsed[name] === undefined) throw new ScenarioError(`${field}.${name} is missing`);
  }
  return parsed;
}

/** Checks an object field by field; a nested field is named with its parent as prefix. */
function fieldsOf(value: unknown, field: string, checks: Readonly<Record<string, Check>>): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(field, 'an object', value);
  const prefix = field === 'scenario' ? '' : `${field}.`;
  const parsed: Record<string, unknown> = {};
  for (const [name, raw] of Object.entries(value as object)) {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (!check) throw new ScenarioError(`unknown field '${prefix}${name}'; known: ${Object.keys(checks).join(', ')}`);
    if (raw !== undefined) parsed[name] = check(raw, prefix + name);
  }
  return parsed;
}

function integer(min: number, max: number): Check {
  return (value, field) => {
    if (!Number.isInteger(value) || (value as number) < min || (value as number) > max) {
      refuse(field, `a whole number from ${min} to ${max}`, value);
    }
    return value;
  };
}

function milliseconds(value: unknown, field: string): unknown {
  if (typeof value !== 'number' || !(value >= 0 && value <= HOUR_MS))
    refuse(field, `0 to ${HOUR_MS} milliseconds`, value);
  return value;
}

function factor(value: unknown, field: string): unknown {
  if (typeof value !== 'number' || !(value >= 0.001 && value <= 1000)) refuse(field, '0.001 to 1000', value);
  return value;
}

function text(value: unknown, field: string): unknown {
  if (typeof value !== 'string') refuse(field, 'a string', value);
  return value;
}

function flag(value: unknown, field: string): unknown {
  if (typeof value !== 'boolean') refuse(field, 'true or false', value);
  return value;
}

function base64(value: unknown, field: string): unknown {
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]*={0,2}$/.test(value)) refuse(field, 'base64', value);
  return value;
}

/** No separators and no leading dot: the name cannot point outside the replay folder. */
function fileName(value: unknown, field: string): unknown {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}$/.test(value)) {
    refuse(field, 'a plain file name', value);
  }
  return value;
}

function headerValue(value: unknown, field: string): unknown {
  // A line break would start another header; an invalid head must not happen by accident.
  if (typeof value !== 'string' || /[\r\n\0]/.test(value)) refuse(field, 'a string without line breaks', value);
  return value;
}

function header(value: unknown, field: string): unknown {
  if (!Array.isArray(value) || value.length !== 2) refuse(field, 'a [name, value] pair', value);
  const [name, content] = value as unknown[];
  if (typeof name !== 'string' || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
    refuse(`${field}[0]`, 'a header name', name);
  return [name, headerValue(content, `${field}[1]`)];
}

function oneOf(values: readonly string[]): Check {
  return (value, field) => {
    if (!values.includes(value as string)) refuse(field, `one of ${values.join(', ')}`, value);
    return value;
  };
}

function list(item: Check, lengthMax: number): Check {
  return (value, field) => {
    if (!Array.isArray(value) || value.length > lengthMax) refuse(field, `a list of at most ${lengthMax}`, value);
    return (value as unknown[]).map((entry, i) => item(entry, `${field}[${i}]`));
  };
}

function pair(item: Check): Check {
  return (value, field) => {
    if (!Array.isArray(value) || value.length !== 2) refuse(field, 'a list of two', value);
    return (value as unknown[]).map((entry, i) => item(entry, `${field}[${i}]`));
  };
}

function refuse(field: string, takes: string, value: unknown): never {
  throw new ScenarioError(`${field} takes ${takes}, not ${JSON.stringify(value)?.slice(0, 80) ?? typeof value}`);
}
