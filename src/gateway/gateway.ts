/** What the data plane needs of the rest of the house: the one argument that is handed along a request. */
import type { KeyDirectory } from '../keys/directory.ts';
import type { Log } from '../observe/log.ts';
import type { UpstreamClient } from '../upstream/client.ts';
import type { Deadlines } from './deadlines.ts';
import type { ClientConnections, Slots, UsageRecorder } from './exchange.ts';
import type { RelayLimits } from './relay.ts';

export interface Gateway {
  readonly client: UpstreamClient;
  readonly keys: KeyDirectory;
  readonly recorder: UsageRecorder;
  readonly slots: Slots;
  readonly connections: ClientConnections;
  readonly deadlines: Deadlines;
  readonly limits: RelayLimits & { readonly maxBodyBytes: number; readonly requestBodyTimeoutMs: number };
  readonly fuelixApiKey: string;
  readonly userAgent: string;
  readonly log: Log;
}
