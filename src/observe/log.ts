/**
 * Lines on stdout, JSON or for people. Callers pass ids, counts, codes and times; never a key, a prompt or an answer. A client key in a text
 * that a client has sent is redacted all the same.
 * pino writes without transports: those are worker threads, which a compiled binary cannot load.
 */
import pino from 'pino';
import type { LogFormat, LogLevel } from '../config/schema.ts';
import { redactKeys } from '../keys/redact-keys.ts';
import { LineOutput } from './line-output.ts';
import { prettyLine } from './pretty-line.ts';

export type Log = pino.Logger;

/** @param format of this and every later line of the process */
export function createLog(level: LogLevel, format: LogFormat = 'json'): Log {
  textOf = format === 'pretty' ? prettyLine : asItIs;
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: errorFields },
    },
    { write: (line: string) => stdout().write(redactKeys(withoutControls(textOf(line)))) },
  );
}

const asItIs = (line: string) => line;
let textOf = asItIs;
let lines: LineOutput | undefined;

/** Shared by all logs of the process, so that lines keep their order. */
function stdout(): LineOutput {
  if (lines) return lines;
  const output = new LineOutput({ fd: 1, onTrouble: tellStderr, droppedLine });
  process.once('exit', () => output.flush());
  lines = output;
  return output;
}

/** stderr may be the same blocked pipe, so this does not block either. */
function tellStderr(reason: string): void {
  const stderr = new LineOutput({ fd: 2, onTrouble: () => {}, droppedLine: () => '' });
  stderr.write(`bve: cannot write the log: ${reason}. The gateway keeps serving.\n`);
}

function droppedLine(count: number): string {
  const msg = 'log lines were dropped: stdout could not be written';
  return textOf(`${JSON.stringify({ level: 'warn', time: new Date().toISOString(), lines: count, msg })}\n`);
}

/** DEL, C1 and direction characters: JSON does not escape them, but a terminal interprets them. */
const CONTROLS = /[\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function withoutControls(line: string): string {
  return line.replace(CONTROLS, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Name, code and stack; no message of a foreign error object's own fields, which may hold headers or bodies. */
function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { name: typeof error };
  return { name: error.name, code: (error as { code?: unknown }).code, message: error.message, stack: error.stack };
}
