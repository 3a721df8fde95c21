/**
 * What the meter must find, written the slow and obvious way: the whole stream decoded, split into events after the EventSource
 * grammar, each parsed with JSON.parse. Shares no code with src/. Where the meter is documented to be looser or stricter than
 * JSON.parse (the inside of strings, escapes in names, depth), `normalized` says so.
 */
import type { Usage } from '../../src/gateway/meter.ts';
import type { FormatName } from './metered.ts';

interface Finding {
  usage: Usage | null;
  usageIsFinal: boolean;
  sawTerminalEvent: boolean;
  contentEnded: boolean;
  errorCode: string | null;
  atEventBoundary: boolean;
}

type Counts = Record<string, number | 'unknown'>;

const NAMES = [
  'prompt_tokens',
  'completion_tokens',
  'total_tokens',
  'input_tokens',
  'output_tokens',
  'cache_read_input_tokens',
  'cache_creation_input_tokens',
];

interface State {
  counts: Counts;
  isFinal: boolean;
  sawTerminal: boolean;
  contentEnded: boolean;
  errorCode: string | null;
}

const DETAILS = {
  prompt_tokens_details: 'cached_tokens',
  completion_tokens_details: 'reasoning_tokens',
  input_tokens_details: 'cached_tokens',
  output_tokens_details: 'reasoning_tokens',
};

export function findInEvents(format: FormatName, bytes: Uint8Array): Finding {
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\n|\r/);
  const unfinished = lines.pop() ?? '';
  let state: State = { counts: {}, isFinal: false, sawTerminal: false, contentEnded: false, errorCode: null };
  let name: string | null = '';
  let data: string[] = [];
  let inEvent = false;
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0) state = afterEvent(format, state, name ?? '', data.join('\n'));
      name = '';
      data = [];
      inEvent = false;
      continue;
    }
    const [field, value] = split(line);
    if (field !== '') inEvent = true;
    if (field === 'data') data.push(value);
    if (field === 'event') name = value;
  }
  // Of usage, an event that lacks only its line ends counts as well, if what there is of it is a whole document.
  if (unfinished.startsWith('data:')) data.push(split(unfinished)[1]);
  if (unfinished.startsWith('event:')) name = null;
  const last = data.length > 0 ? afterEvent(format, state, name ?? '', data.join('\n')) : state;
  return {
    usage: toUsage(format, last.counts),
    usageIsFinal: format === 'opaque' || last.isFinal,
    sawTerminalEvent: state.sawTerminal,
    contentEnded: state.contentEnded,
    errorCode: state.errorCode,
    atEventBoundary: unfinished === '' && !inEvent,
  };
}

function afterEvent(format: FormatName, before: State, name: string, text: string): State {
  const root = parse(text);
  const state = { ...before, counts: report(format, before.counts, name, root) };
  const reported = state.counts !== before.counts;
  const any = Object.values(state.counts).some((count) => count !== 'unknown');
  const is = (wanted: string) => name === wanted || typeOf(root) === wanted;
  if (format === 'opaque' || format === 'chat') {
    if (text.startsWith('[DONE]')) return { ...before, sawTerminal: true, isFinal: any };
    if (format === 'opaque') return before;
    const finish = lastValue(text, 'finish_reason');
    if (finish !== null) {
      state.contentEnded = !isVoid(finish);
      state.isFinal = false;
    }
    if (root === null) return state;
    if (reported) state.isFinal = state.contentEnded;
    const real = text.includes('"error"') ? (realParse(text) as { error?: unknown; object?: unknown } | null) : null;
    const error = codeOf(real?.error ?? (real?.object === 'error' ? real : null));
    return error === null ? state : { ...state, errorCode: state.errorCode ?? error, sawTerminal: true };
  }
  if (format === 'responses') {
    if (!['response.completed', 'response.failed', 'response.incomplete', 'error'].some(is)) return state;
    const real = realParse(text) as { error?: unknown; response?: { error?: unknown } | null } | null;
    const error = real && (is('error') ? (real.error ?? real) : real.response?.error);
    const failed = is('error') || is('response.failed');
    const code = failed ? (codeOf(error) ?? 'upstream_error') : null;
    return { ...state, sawTerminal: true, contentEnded: true, isFinal: any, errorCode: state.errorCode ?? code };
  }
  if (root !== null && is('message_delta')) {
    const stop = lastValue(text, 'stop_reason');
    if (stop !== null && !isVoid(stop)) state.contentEnded = true;
    if (countsOf(root.usage) !== null) state.isFinal = true;
  }
  if (is('message_stop')) {
    return { ...state, sawTerminal: true, contentEnded: true, isFinal: state.isFinal || root !== null };
  }
  if (!is('error')) return state;
  const code = codeOf((realParse(text) as { error?: unknown } | null)?.error) ?? 'upstream_error';
  return { ...state, sawTerminal: true, errorCode: state.errorCode ?? code };
}

/** What stands behind the last key of that name, at whatever depth. */
function lastValue(text: string, key: string): string | null {
  const found = [...text.matchAll(new RegExp(`(?<!\\\\)"${key}"[ \\t]*:[ \\t]*`, 'g'))].at(-1);
  return found === undefined ? null : text.slice(found.index + found[0].length);
}

function isVoid(value: string): boolean {
  return value.startsWith('null') || value.startsWith('""');
}

function realParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function codeOf(error: unknown): string | null {
  if (!error) return null;
  if (typeof error !== 'object') return 'upstream_error';
  const { code, type } = error as { code?: unknown; type?: unknown };
  const names = [code, type].map((name) => (typeof name === 'number' ? String(name) : name));
  const name = names.find((text) => typeof text === 'string' && /^[A-Za-z0-9._:-]{1,64}$/.test(text));
  return (name as string | undefined) ?? 'upstream_error';
}

export function findInDocument(format: FormatName, bytes: Uint8Array): Usage | null {
  if (format === 'opaque') return null;
  const root = parse(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  const counts = countsOf(root?.usage);
  return counts === null ? null : toUsage(format, counts);
}

function split(line: string): [string, string] {
  const colon = line.indexOf(':');
  if (colon < 0) return [line, ''];
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}

/** The root if it is an object. */
function parse(text: string): Record<string, unknown> | null {
  try {
    const root: unknown = JSON.parse(normalized(text.replace(/^\ufeff/, '')));
    if (!isObject(root) || depthOf(root) > 512) return null;
    return root;
  } catch {
    return null;
  }
}

/**
 * Inside strings control characters are let through, and an escape is never what it stands for. In an array a run of what numbers
 * are made of, commas and blanks stands for any elements.
 */
function normalized(text: string): string {
  return text.replace(
    /("(?:[^"\\]|\\[\s\S])*")|([[,][ \t\r\n]*)[-\d][-+./\dEe, \t\r\n]*(\]?)/g,
    (_, string: string | undefined, before: string, close: string) =>
      string === undefined ? `${before}0${close || ','}` : normalizedString(string),
  );
}

function normalizedString(string: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return string.replace(/\\[\s\S]|[\u0000-\u001f]/g, (found) => (found.length > 1 ? '_' : ' '));
}

function report(format: FormatName, counts: Counts, name: string, root: Record<string, unknown> | null): Counts {
  if (root === null || format === 'opaque') return counts;
  const is = (test: (type: string) => boolean) => test(name) || test(typeOf(root));
  if (format === 'chat') return countsOf(root.usage) ?? counts;
  if (format === 'responses') {
    const inner = isObject(root.response) ? countsOf(root.response.usage) : null;
    return inner !== null && is((type) => type.startsWith('response.')) ? inner : counts;
  }
  let result = counts;
  const start = isObject(root.message) ? countsOf(root.message.usage) : null;
  if (start !== null && is((type) => type === 'message_start')) result = start;
  const delta = countsOf(root.usage);
  if (delta !== null && is((type) => type === 'message_delta')) result = { ...result, ...delta };
  return result;
}

/** Null for what is no object, or an object without a single count. */
function countsOf(usage: unknown): Counts | null {
  if (!isObject(usage)) return null;
  const counts: Counts = {};
  for (const name of NAMES) {
    const value = usage[name];
    if (value === undefined || value === null) continue;
    counts[name] = countOf(value);
  }
  if (!Object.values(counts).some((count) => count !== 'unknown')) return null;
  for (const [name, member] of Object.entries(DETAILS)) {
    const details = usage[name];
    const value = isObject(details) ? details[member] : undefined;
    if (value !== undefined && value !== null) counts[`${name}.${member}`] = countOf(value);
  }
  return counts;
}

/** Some servers write their counts as text. */
function countOf(value: unknown): number | 'unknown' {
  const count = typeof value === 'string' && /^\d{1,48}$/.test(value) ? Number(value) : value;
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? Math.abs(count) : 'unknown';
}

function toUsage(format: FormatName, counts: Counts): Usage | null {
  const known = (name: string): number | null => {
    const count = counts[name];
    return typeof count === 'number' ? count : null;
  };
  const add = (...parts: (number | null)[]): number | null => {
    let sum = 0;
    for (const part of parts) {
      if (part === null) return null;
      sum += part;
      if (!Number.isSafeInteger(sum)) return null;
    }
    return sum;
  };
  const orZero = (name: string) => (counts[name] === undefined ? 0 : known(name));
  const openai = format === 'chat' || format === 'opaque';
  let promptTokens = known(openai ? 'prompt_tokens' : 'input_tokens');
  if (format === 'messages') {
    promptTokens = add(promptTokens, orZero('cache_read_input_tokens'), orZero('cache_creation_input_tokens'));
  }
  const completionTokens = known(openai ? 'completion_tokens' : 'output_tokens');
  const totalTokens = known('total_tokens') ?? add(promptTokens, completionTokens);
  if (promptTokens === null && completionTokens === null && totalTokens === null) return null;
  const openaiNames = ['prompt_tokens_details.cached_tokens', 'completion_tokens_details.reasoning_tokens'];
  const otherNames = ['input_tokens_details.cached_tokens', 'output_tokens_details.reasoning_tokens'];
  const [cached, reasoning] = openai ? openaiNames : otherNames;
  return {
    promptTokens,
    cachedTokens: known(format === 'messages' ? 'cache_read_input_tokens' : cached!),
    completionTokens,
    reasoningTokens: known(reasoning!),
    totalTokens,
  };
}

function typeOf(root: Record<string, unknown> | null): string {
  return typeof root?.type === 'string' ? root.type : '';
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let deepest = 0;
  for (const item of Object.values(value)) deepest = Math.max(deepest, depthOf(item));
  return deepest + 1;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
