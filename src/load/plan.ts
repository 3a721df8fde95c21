/** What a load test is: everything that decides what is sent, when, and what is looked at; with defaults for the rest. */
import type { Arrivals } from './arrivals.ts';
import type { Recorder } from './recorder.ts';
import { type RequestOptions, RequestSource } from './request-source.ts';
import { type LoadTarget, targetOf } from './target.ts';

export interface LoadPlan {
  readonly target: LoadTarget;
  readonly requests: RequestSource;
  readonly model: string;
  readonly arrivals: Arrivals;
  /** How long streams arrive, after the warm-up. */
  readonly durationS: number;
  /** Streams that arrive in this time are not measured. */
  readonly warmupS: number;
  /** An arrival is dropped, and counted, when so many streams are open. */
  readonly streamsMax: number;
  /** The same for connections, idle ones included; these are used first. */
  readonly connectionsMax: number;
  /** 0 to 1. */
  readonly slowReaders: number;
  readonly slowPauseMs: number;
  /** 0 to 1. */
  readonly abandon: number;
  /** For who reads slowly and who leaves. */
  readonly seed: number;
  /** A stream without a byte for so long has failed. */
  readonly timeoutS: number;
  /** How long streams may go on after the last arrival. */
  readonly drainS: number;
  /** Every stream has so many content events; undefined when that is not known. */
  readonly expectEvents: number | undefined;
  /** All bodies should be equal: they are hashed and compared. */
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
