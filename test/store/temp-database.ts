/** A database in a folder of its own, and rows to put into it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newRecordId, type UsageRecord } from '../../src/usage/usage-record.ts';

export interface TempDatabase extends Disposable {
  readonly folder: string;
  readonly path: string;
  readonly url: string;
}

/** Gone at the end of the block that has it in a `using`. */
export function tempDatabase(): TempDatabase {
  const folder = mkdtempSync(join(tmpdir(), 'bve-store-'));
  const path = join(folder, 'bve.db');
  return {
    folder,
    path,
    url: `sqlite://${path}`,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function usageRecord(changes: Partial<UsageRecord> = {}): UsageRecord {
  return {
    id: newRecordId(),
    requestId: crypto.randomUUID(),
    upstreamRequestId: 'req_upstream',
    keyId: 'key-1',
    endpoint: '/v1/chat/completions',
    model: 'gpt-4o-mini',
    status: 200,
    streamed: true,
    startedAt: 1_750_000_000_000,
    admittedAt: 1_750_000_000_001,
    sentMs: 1,
    headMs: 11,
    ttfbMs: 12,
    durationMs: 345,
    cancelMs: null,
    bytesOut: 6_789,
    finish: 'complete',
    errorCode: null,
    target: 'fuelix',
    attempts: 1,
    promptTokens: 10,
    cachedTokens: 4,
    completionTokens: 20,
    reasoningTokens: 8,
    totalTokens: 30,
    usageSource: 'upstream',
    ...changes,
  };
}
