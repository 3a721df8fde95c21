/**
 * What the meter must find, written the slow and obvious way: the whole stream decoded, split into events after the EventSource
 * grammar, each parsed with JSON.parse. Shares no code with src/. Where the meter is documented to be looser or stricter than
 * JSON.parse (the inside of strings, escapes in names, depth), `normalized` says so.
 */
import type { Format, Usage } from '../../src/gateway/meter.ts';

export interface Finding {
  usage: Usage | null;
  sawTerminalEvent: boolean;
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

const TERMINAL: Record<Format, string[] | null> = {
  chat: null,
  opaque: null,
  responses: ['response.completed', 'response.failed', 'response.incomplete', 'error'],
  messages: ['message_stop', 'error'],
};

export function findInEvents(format: Format, bytes: Uint8Array): Finding {
  const lines = new TextDecoder().decode(bytes).split(/\r\n|\n|\r/);
  const unfinished = lines.pop() ?? '';
  const terminal = TERMINAL[format];
  let counts: Counts = {};
  let sawTerminalEvent = false;
  let name: string | null = '';
  let data: string[] = [];
  let inEvent = false;
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0) {
        const text = data.join('\n');
        const root = parse(text);
        counts = report(format, counts, name ?? '', root);
        if (terminal === null) sawTerminalEvent ||= text.startsWith('[DONE]');
        else sawTerminalEvent ||= terminal.includes(name ?? '') || terminal.includes(typeOf(root));
      }
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
  // An event that lacks only its line ends counts as well, if what there is of it is a whole document.
  if (unfinished.startsWith('data:')) data.push(split(unfinished)[1]);
  if (unfinished.startsWith('event:')) name = null;
  if (data.length > 0) {
    const text = data.join('\n');
    const root = parse(text);
    counts = report(format, counts, name ?? '', root);
    if (terminal === null) sawTerminalEvent ||= text.startsWith('[DONE]');
    else if (root !== null) sawTerminalEvent ||= terminal.includes(name ?? '') || terminal.includes(typeOf(root));
  }
  return { usage: toUsage(format, counts), sawTerminalEvent, atEventBoundary: unfinished === '' && !inEvent };
}

export function findInDocument(format: Format, bytes: Uint8Array): Usage | null {
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
    const root: unknown = JSON.parse(normalized(text));
    if (!isObject(root) || depthOf(root) > 512) return null;
    return root;
  } catch {
    return null;
  }
}

/** Inside strings control characters are let through, and an escape is never what it stands for. */
function normalized(text: string): string {
  return text.replace(/"(?:[^"\\]|\\[\s\S])*"/g, (string) =>
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    string.replace(/\\[\s\S]|[\u0000-\u001f]/g, (found) => (found.length > 1 ? '_' : ' ')),
  );
}

function report(format: Format, counts: Counts, name: string, root: Record<string, unknown> | null): Counts {
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
    counts[name] = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? Math.abs(value) : 'unknown';
  }
  return Object.values(counts).some((count) => count !== 'unknown') ? counts : null;
}

function toUsage(format: Format, counts: Counts): Usage | null {
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
  return { promptTokens, completionTokens, totalTokens };
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
