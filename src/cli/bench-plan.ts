/** Turns the flags of `bve bench` into a plan. Wrong flags are found here, before any load. */
import type { Arrivals } from '../load/arrivals.ts';
import { type LoadPlan, type PlanOptions, planOf } from '../load/plan.ts';
import { Recorder } from '../load/recorder.ts';
import { TargetError } from '../load/target.ts';
import { readTextInput } from '../text-file.ts';
import { type Arguments, CommandFailure, integerFlag, textFlag, UsageError } from './command.ts';

const RATE_MAX = 100_000;
const STREAMS_MAX = 60_000;
const DAY_S = 86_400;
/** Of a key, a prompt or a body. */
const FILE_BYTES_MAX = 256 * 1024 * 1024;

/** @throws UsageError for a wrong flag, CommandFailure for a file that cannot be read or a folder that cannot be made */
export function planFrom(url: string, args: Arguments): LoadPlan {
  const path = textFlag(args, 'path');
  const model = textFlag(args, 'model');
  const key = keyFrom(args);
  const prompts = promptsFrom(args);
  const body = bodyFrom(args);
  const slowReaders = share(args, 'slow-readers');
  const abandon = share(args, 'abandon');
  if (slowReaders + abandon > 1) throw new UsageError('--slow-readers and --abandon together exceed 100%');
  const expectEvents = integerFlag(args, 'expect-events', -1, 0, 100_000_000);
  const options: PlanOptions = {
    arrivals: arrivalsFrom(args),
    durationS: seconds(args, 'duration', 10, false),
    warmupS: seconds(args, 'warmup', 0, true),
    streamsMax: integerFlag(args, 'streams-max', 5_000, 1, STREAMS_MAX),
    connectionsMax: integerFlag(args, 'connections-max', 5_000, 1, STREAMS_MAX),
    slowReaders,
    abandon,
    seed: integerFlag(args, 'seed', 1, 0, 4_294_967_295),
    timeoutS: seconds(args, 'timeout', 30, false),
    drainS: seconds(args, 'drain', 60, true),
    expectEvents: expectEvents < 0 ? undefined : expectEvents,
    expectSame: args.flags['expect-same'] === true,
    insecure: args.flags.insecure === true,
    ...(path === undefined ? {} : { path }),
    ...(model === undefined ? {} : { model }),
    ...(key === undefined ? {} : { key }),
    ...(prompts === undefined ? {} : { prompts }),
    ...(body === undefined ? {} : { body }),
  };
  const plan = planned(url, options);
  // Last, because it creates a folder: only when all other flags are right.
  const recorder = recorderFrom(args);
  return recorder ? { ...plan, recorder } : plan;
}

function planned(url: string, options: PlanOptions): LoadPlan {
  try {
    return planOf(url, options);
  } catch (error) {
    if (error instanceof TargetError) throw new UsageError(error.message);
    throw error;
  }
}

function arrivalsFrom(args: Arguments): Arrivals {
  const rampS = seconds(args, 'ramp', 0, true);
  if (args.flags.streams === undefined) {
    return { kind: 'open', ratePerS: number(args, 'rate', 10, 'streams a second', RATE_MAX), rampS };
  }
  if (args.flags.rate !== undefined)
    throw new UsageError('--rate (open loop) and --streams (closed loop) cannot be combined');
  return { kind: 'closed', streams: integerFlag(args, 'streams', 1, 1, STREAMS_MAX), rampS };
}

function keyFrom(args: Arguments): string | undefined {
  const key = textFlag(args, 'key');
  const file = textFlag(args, 'key-file');
  if (key !== undefined && file !== undefined) throw new UsageError('--key and --key-file cannot be combined');
  const value = file === undefined ? key : read('key-file', file).trim();
  // A line break would end the header and start another one.
  if (value !== undefined && !/^[!-~]+$/.test(value)) {
    throw new UsageError(
      `--key${file === undefined ? '' : '-file'}: a key must not be empty nor contain spaces or line breaks`,
    );
  }
  return value;
}

function promptsFrom(args: Arguments): (string | Record<string, unknown>)[] | undefined {
  const file = textFlag(args, 'prompt-file');
  if (file === undefined) return undefined;
  const text = read('prompt-file', file);
  if (text.trim() === '') throw new CommandFailure(`--prompt-file: '${file}' is empty`);
  if (!file.endsWith('.jsonl')) return [text];
  return text
    .split('\n')
    .map((line, at) => ({ line, at }))
    .filter(({ line }) => line.trim() !== '')
    .map(({ line, at }) => promptOf(parseJson(line), `--prompt-file: line ${at + 1} of '${file}'`));
}

function promptOf(value: unknown, where: string): string | Record<string, unknown> {
  if (typeof value === 'string') return value;
  if (!isObject(value)) throw new UsageError(`${where} is neither a JSON string nor a JSON object`);
  return streaming(value, where);
}

function bodyFrom(args: Arguments): Record<string, unknown> | undefined {
  const text = textFlag(args, 'body');
  if (text === undefined) return undefined;
  const value = parseJson(text.startsWith('@') ? read('body', text.slice(1)) : text);
  if (!isObject(value)) throw new UsageError('--body takes a JSON object, or @FILE with one');
  return streaming(value, '--body');
}

function streaming(body: Record<string, unknown>, where: string): Record<string, unknown> {
  if (body.stream !== undefined && body.stream !== true)
    throw new UsageError(`${where}: only streams are measured, so "stream" must be true`);
  return body;
}

function recorderFrom(args: Arguments): Recorder | undefined {
  const folder = textFlag(args, 'record');
  const streamsMax = integerFlag(args, 'record-max', 5, 1, 1_000);
  if (folder === undefined) {
    if (args.flags['record-max'] !== undefined) throw new UsageError('--record-max needs --record DIR');
    return undefined;
  }
  try {
    return new Recorder(folder, streamsMax);
  } catch (error) {
    throw new CommandFailure(`--record: cannot create the folder '${folder}': ${reasonOf(error)}`);
  }
}

/** A time in seconds from 30, 30s, 500ms, 2m or 1h. */
function seconds(args: Arguments, name: string, fallback: number, zero: boolean): number {
  const raw = textFlag(args, name);
  if (raw === undefined) return fallback;
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(raw);
  const value = match ? Number(match[1]) * { ms: 0.001, s: 1, m: 60, h: 3_600 }[(match[2] ?? 's') as 's'] : Number.NaN;
  if (!(value <= DAY_S && (zero ? value >= 0 : value > 0))) {
    throw new UsageError(
      `--${name} takes a time ${zero ? 'from' : 'above'} 0 up to 24h, e.g. 30s, 500ms or 2m, not '${raw}'`,
    );
  }
  return value;
}

function number(args: Arguments, name: string, fallback: number, what: string, max: number): number {
  const raw = textFlag(args, name);
  if (raw === undefined) return fallback;
  const value = /^\d+(\.\d+)?$/.test(raw) ? Number(raw) : Number.NaN;
  if (!(value > 0 && value <= max)) throw new UsageError(`--${name} takes ${what} above 0 up to ${max}, not '${raw}'`);
  return value;
}

/** `10%` or `10`, as a share from 0 to 1. */
function share(args: Arguments, name: string): number {
  const raw = textFlag(args, name);
  if (raw === undefined) return 0;
  const match = /^(\d+(?:\.\d+)?)%?$/.exec(raw);
  const value = match ? Number(match[1]) / 100 : Number.NaN;
  if (!(value >= 0 && value <= 1)) throw new UsageError(`--${name} takes 0% to 100%, not '${raw}'`);
  return value;
}

function read(flag: string, path: string): string {
  try {
    return readTextInput(path, FILE_BYTES_MAX);
  } catch (error) {
    throw new CommandFailure(`--${flag}: cannot read '${path}': ${(error as Error).message}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function reasonOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
}
