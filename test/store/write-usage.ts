/** Run as a process by the tests: as soon as its stdin ends it writes records in small transactions, then says how many it lost. */
import { openStore } from '../../src/store/open-store.ts';
import { UsageWriter } from '../../src/usage/usage-writer.ts';
import { usageRecord } from './temp-database.ts';

const [url, keyId, count] = process.argv.slice(2) as [string, string, string];
const store = await openStore(url);
const writer = new UsageWriter(store, { transactionRows: 20 });
process.stdout.write('ready\n');
await Bun.stdin.text();
for (let i = 0; i < Number(count); i++) writer.record(usageRecord({ keyId, startedAt: 1_000 + i }));
await writer.close(20_000);
await store.close();
process.stdout.write(`lost ${writer.dropped}\n`);
