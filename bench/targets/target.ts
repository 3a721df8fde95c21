/** A target of the bench: something between a client and the mock upstream. */
import type { TargetEndpoint } from '../suite/load.ts';

export interface StartContext {
  readonly upstreamPort: number;
  /** An empty folder of its own, deleted afterwards. */
  readonly folder: string;
  /** Its own core; null without pinning. */
  readonly core: number | null;
}

export interface RunningTarget extends TargetEndpoint {
  stop(): Promise<void>;
}

export interface BenchTarget {
  readonly name: string;
  /** Its set-up, in a few words for the report. */
  readonly about: string;
  /** Prepares it (a build, a download). Returns why it cannot run, or null. */
  prepare(): Promise<string | null>;
  version(): Promise<string>;
  start(context: StartContext): Promise<RunningTarget>;
}
