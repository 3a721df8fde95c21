/** Run as a process by the tests: opens the database it is given as soon as its stdin ends, then says 'open'. */
import { Store } from '../../src/store/sqlite/sqlite-store.ts';

process.stdout.write('ready\n');
await Bun.stdin.text();
const store = await Store.open(process.argv[2]!);
await store.ping();
await store.close();
process.stdout.write('open\n');
