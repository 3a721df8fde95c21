/** What the data plane needs of the rest of the house: the one argument that is handed along a request. */

import type { Deadlines } from '../http/deadlines.ts';
import type { Permits } from '../http/permits.ts';
import type { BodyLimits } from '../http/request-body.ts';
import type { KeyDirectory } from '../keys/key-cache.ts';
import type { Limiter } from '../limits/limiter.ts';
import type { Log } from '../observe/log.ts';
import type { UpstreamClient } from '../upstream/client.ts';
import type { HeaderBlock } from '../upstream/header-block.ts';
import type { UsageDay } from '../usage/usage-totals.ts';
import type { ClientConnections, UsageRecorder } from './exchange.ts';
import type { Pace } from './pace.ts';
import type { RelayLimits } from './relay.ts';

/** What keys have used so far, by UTC day (days since 1970). */
export interface UsageReader {
  usageDays(keyId: string, first: number, last: number): Promise<readonly UsageDay[]>;
}

export interface Gateway {
  readonly client: UpstreamClient;
  readonly keys: KeyDirectory;
  readonly limiter: Limiter;
  readonly recorder: UsageRecorder;
  readonly usage: UsageReader;
  readonly permits: Permits;
  readonly pace: Pace;
  readonly connections: ClientConnections;
  readonly deadlines: Deadlines;
  readonly limits: RelayLimits & BodyLimits;
  /** Ask for the usage of chat streams whose clients did not. */
  readonly injectStreamUsage: boolean;
  /** Of every request upstream: the real key is in it. */
  readonly commonFields: HeaderBlock;
  readonly log: Log;
}
