/** One log line when a target rests or returns, and one for each time its key is refused. */
import type { TargetSupervisor, UpstreamTarget } from '../upstream/target.ts';
import type { Log } from './log.ts';

export class TargetLog implements Omit<TargetSupervisor, 'mayRest'> {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  onRest({ name, health }: UpstreamTarget, reason: string): void {
    const untilMs = health.restsUntilMs;
    const restsUntil = untilMs === null ? undefined : new Date(untilMs).toISOString();
    this.#log.warn({ target: name, reason, rests_until: restsUntil }, 'target rests');
  }

  onReturn({ name }: UpstreamTarget): void {
    this.#log.info({ target: name }, 'target returns');
  }

  onKeyRefused({ name }: UpstreamTarget, status: number): void {
    this.#log.error({ target: name, status }, 'upstream refuses the key of this target');
  }
}
