/** What a client of the soak may see of a request, and the record that then must be there. */
import type { Finish } from '../../src/usage/usage-record.ts';

/**
 * - complete: a whole HTTP answer, of whatever status
 * - interrupted: a whole HTTP answer that ends with the gateway's error event
 * - reset: the connection broke behind the head
 * - unanswered: the connection broke before a head
 * - refused: no connection
 * - left: the client went away, as planned
 * - unfinished: still waiting when it should long have been over
 */
export type Saw = 'complete' | 'interrupted' | 'reset' | 'unanswered' | 'refused' | 'left' | 'unfinished';

/** What a client may see, and the record that then must be there. */
export interface Explanation {
  readonly saw: Saw;
  /** Undefined: any. 0: none came. */
  readonly status?: number;
  /** The code in an error of the gateway's own; undefined: not looked at. */
  readonly code?: string;
  readonly record: ExpectedRecord | 'none' | 'any or none';
  /** Why, if it is not by the plan of the request. */
  readonly why?: string;
}

export interface ExpectedRecord {
  readonly finish: Finish;
  /** Undefined: not looked at. */
  readonly errorCode?: string | null;
  /** The record may also be missing. */
  readonly mayBeMissing?: boolean;
  /** Only when it was sent through this target. */
  readonly target?: string;
}
