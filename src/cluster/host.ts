/** The other processes of this host, as one of them sees them. */
import type { Question } from './messages.ts';

export interface Host {
  /** What every process of the host answers, this one among them; one that does not answer in time is left out. */
  collect(question: Question): Promise<readonly unknown[]>;
  /** Takes all of them out of service. */
  drain(): void;
  /** Whether somebody looks at this one's live view. */
  watch(isWatched: boolean): void;
  /** To the viewers of the others. */
  sendRecords(text: string, count: number): void;
  /** From now on this one answers. */
  join(member: HostMember): void;
}

/** What one process answers and does for the others. */
export interface HostMember {
  answer(question: Question): unknown;
  drain(): void;
  /** Closes its listening socket, serves what it has, and ends. */
  retire(): void;
  /** Somebody looks at another's live view. */
  watched(isWatched: boolean): void;
  records(text: string, count: number): void;
}
