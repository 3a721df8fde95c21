/**
 * JSON lines on stdout. Callers pass ids, counts, codes and times; never a key, a prompt or an answer.
 * pino writes without transports: those are worker threads, which a compiled binary cannot load.
 */
import pino from 'pino';
import type { LogLevel } from '../config/schema.ts';

export type Log = pino.Logger;

export function createLog(level: LogLevel): Log {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { err: errorFields },
  });
}

/** Name, code and stack; no message of a foreign error object's own fields, which may hold headers or bodies. */
function errorFields(error: unknown): object {
  if (!(error instanceof Error)) return { name: typeof error };
  return { name: error.name, code: (error as { code?: unknown }).code, message: error.message, stack: error.stack };
}
