/** The plan of a load test: what is sent, when, and what is checked; with defaults. */
import type { Arrivals } from './arrivals.ts';
import type { Recorder } from './recorder.ts';
import { type RequestOptions, RequestSource } from './request-source.ts';
import { type LoadTarget, targetOf } from './target.ts';

export interface LoadPlan {
  readonly target: LoadTarget;
  readonly requests: RequestSource;
  readonly model: string;
  readonly arrivals: Arrivals;
  /** How long streams arrive after the warm-up. */
  readonly durationS: number;
  /** Streams that arrive before are not measured. */
  readonly warmupS: number;
  /** With this many streams open, an arrival is dropped and counted. */
  readonly streamsMax: number;
  /** The same for connections. Idle ones count, and are used first. */
  readonly connectionsMax: number;
  /** Share of clients that read slowly, 0 to 1. */
  readonly slowReaders: number;
  readonly slowPauseMs: number;
  /** Share of clients that disconnect half-way, 0 to 1. */
  readonly abandon: number;
  /** Decides which clients read slowly and which disconnect. */
  readonly seed: number;
  /** A stream without a byte for this long has failed. */
  readonly timeoutS: number;
  /** How long streams may go on after the last arrival. */
  readonly drainS: number;
  /** Content events that every stream must have; undefined when not known. */
  readonly expectEvents: number | undefined;
  /** All bodies must be equal: they are hashed and compared. */
  readonly expectSame: boolean;
  readonly insecure: boolean;
  readonly ca: string | undefined;
  readonly recorder: Recorder | undefined;
}

export type PlanOptions = Partial<Omit<LoadPlan, 'target' | 'requests'>> &
  Partial<RequestOptions> & { readonly path?: string };

export const DEFAULT_MODEL = 'gpt-4o-mini';

/** @throws TargetError */
export function planOf(url: string, options: PlanOptions = {}): LoadPlan {
  const { path, key, prompts, body, ...given } = options;
  const target = targetOf(url, path);
  const model = options.model ?? DEFAULT_MODEL;
  return {
    arrivals: { kind: 'open', ratePerS: 10, rampS: 0 },
    durationS: 10,
    warmupS: 0,
    streamsMax: 5_000,
    connectionsMax: 5_000,
    slowReaders: 0,
    slowPauseMs: 100,
    abandon: 0,
    seed: 1,
    timeoutS: 30,
    drainS: 60,
    expectEvents: undefined,
    expectSame: false,
    insecure: false,
    ca: undefined,
    recorder: undefined,
    ...given,
    model,
    target,
    requests: new RequestSource(target, {
      model,
      ...(key === undefined ? {} : { key }),
      ...(prompts === undefined ? {} : { prompts }),
      ...(body === undefined ? {} : { body }),
    }),
  };
}
