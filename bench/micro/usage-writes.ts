/**
 * `bun --no-env-file bench/micro/usage-writes.ts [RECORDS]`: what a usage record costs when it is written to SQLite, by the
 * number of keys in use and the size of a batch: processor time, and pages written to the log and the file (Linux only;
 * those do not depend on what else the machine does). The second half of the records is measured.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKey } from '../../src/keys/key.ts';
import { openStore } from '../../src/store/open-store.ts';
import { newRecordId, type UsageRecord } from '../../src/usage/usage-record.ts';

const PAGE_BYTES = 4096;
const CASES: readonly (readonly [keys: number, batch: number])[] = [
  [1, 120],
  [10, 10],
  [10, 250],
  [1_000, 120],
];

function recordOf(keyId: string, startedAt: number): UsageRecord {
  return {
    id: newRecordId(),
    requestId: crypto.randomUUID(),
    upstreamRequestId: 'req_bench',
    keyId,
    endpoint: '/v1/chat/completions',
    model: 'gpt-4o-mini',
    status: 200,
    streamed: true,
    startedAt,
    admittedAt: startedAt,
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
    cachedTokens: null,
    completionTokens: 20,
    reasoningTokens: null,
    totalTokens: 30,
    usageSource: 'upstream',
  };
}

/** Bytes that this process has handed to write(2) so far; 0 where the kernel does not tell. */
function bytesWritten(): number {
  try {
    return Number(/wchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

async function measure(keyCount: number, batchRows: number, records: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bve-bench-'));
  const store = await openStore(`sqlite://${join(folder, 'bve.db')}`);
  const keys = Array.from({ length: keyCount }, (_, i) => createKey({ name: `bench ${i}` }, 1).key);
  await store.importKeys(keys.map((key) => ({ key, keyHash: key.id })));
  const batches = Math.ceil(records / batchRows);
  let made = 0;
  let cpuUs = 0;
  let bytes = 0;
  for (let i = 0; i < batches; i++) {
    const batch = Array.from({ length: batchRows }, () => recordOf(keys[made++ % keyCount]!.id, Date.now()));
    const lastUsedAt = new Map(batch.map(({ keyId, startedAt }) => [keyId, startedAt]));
    const bytesBefore = bytesWritten();
    const before = process.cpuUsage();
    await store.insertUsage(batch, lastUsedAt);
    const { user, system } = process.cpuUsage(before);
    if (i < batches / 2) continue;
    cpuUs += user + system;
    bytes += bytesWritten() - bytesBefore;
  }
  await store.close();
  rmSync(folder, { recursive: true });
  const measured = Math.floor(batches / 2);
  process.stdout.write(
    `${String(keyCount).padStart(5)} keys, ${String(batchRows).padStart(3)} records a batch: ` +
      `${(cpuUs / measured / batchRows).toFixed(2).padStart(6)} us a record, ` +
      `${(bytes / PAGE_BYTES / measured).toFixed(1).padStart(6)} pages a batch\n`,
  );
}

for (const [keys, batch] of CASES) await measure(keys, batch, Number(process.argv[2] ?? 60_000));
