/** What a target of the bench is: something that stands between a client and the mock upstream. */
import type { TargetEndpoint } from '../suite/load.ts';

export interface StartContext {
  readonly upstreamPort: number;
  /** An empty folder of its own, deleted afterwards. */
  readonly folder: string;
  /** The core it has for itself; null where cores are not pinned. */
  readonly core: number | null;
}

export interface RunningTarget extends TargetEndpoint {
  stop(): Promise<void>;
}

export interface BenchTarget {
  readonly name: string;
  /** How it is set up, in a few words for the report. */
  readonly about: string;
  /** Gets it ready (a build, a download) if need be. Says why it cannot run, or null. */
  prepare(): Promise<string | null>;
  version(): Promise<string>;
  start(context: StartContext): Promise<RunningTarget>;
}
