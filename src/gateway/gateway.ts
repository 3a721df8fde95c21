/** The parts of the data plane, passed along with each request. */

import type { BodyReader } from '../http/body-reader.ts';
import type { UploadOptions } from '../http/uploads.ts';
import type { KeyDirectory } from '../keys/key-cache.ts';
import type { Limiter } from '../limits/limiter.ts';
import type { UsageDay } from '../usage/usage-totals.ts';
import type { RelayLimits, RelayOptions } from './answer.ts';
import type { BurstSmoother } from './burst-smoother.ts';
import type { ExchangeOptions } from './exchange.ts';

/** What keys have used so far, by UTC day (days since 1970). */
interface UsageReader {
  usageDays(keyId: string, first: number, last: number): Promise<readonly UsageDay[]>;
}

export interface Gateway extends RelayOptions, ExchangeOptions {
  readonly keys: KeyDirectory;
  readonly limiter: Limiter;
  readonly usage: UsageReader;
  readonly bursts: BurstSmoother;
  readonly bodies: BodyReader;
  readonly uploads: UploadOptions;
  readonly limits: RelayLimits;
  /** Ask for the usage of chat streams whose clients did not. */
  readonly injectStreamUsage: boolean;
}
