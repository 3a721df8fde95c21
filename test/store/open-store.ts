/** Run as a process by the tests: opens the database it is given as soon as its stdin ends, then says 'open'. */
import { openStore } from '../../src/store/open-store.ts';

process.stdout.write('ready\n');
await Bun.stdin.text();
const store = await openStore(process.argv[2]!);
await store.ping();
await store.close();
process.stdout.write('open\n');
