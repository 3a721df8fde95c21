/** pgbouncer in transaction mode before a Postgres server: every transaction may have another connection of the server. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { answers, asServerUser, giveToServer, type PostgresServer, WITHOUT_POSTGRES } from './postgres.ts';

const PROGRAM = Bun.which('pgbouncer', { PATH: `${process.env.PATH}:/usr/sbin` });

export const WITHOUT_PGBOUNCER: string | null =
  WITHOUT_POSTGRES ?? (PROGRAM === null ? 'skipped: pgbouncer is not installed (Debian: pgbouncer)' : null);
if (WITHOUT_PGBOUNCER !== null) console.log(WITHOUT_PGBOUNCER);

export interface PgBouncer extends AsyncDisposable {
  /** The URL of the same database through pgbouncer. */
  through(databaseUrl: string): string;
}

export async function startPgBouncer(server: PostgresServer): Promise<PgBouncer> {
  const folder = mkdtempSync(join(tmpdir(), 'bve-pgbouncer-'));
  giveToServer(folder);
  const port = freePort();
  const file = join(folder, 'pgbouncer.ini');
  writeFileSync(
    file,
    `[databases]
* = host=127.0.0.1 port=${server.port} user=bve
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
server_round_robin = 1
`,
  );
  const child = Bun.spawn(asServerUser([PROGRAM!, '-q', file]), { cwd: folder, stdout: 'ignore', stderr: 'ignore' });
  const through = (url: string) => url.replace(/:\d+\//, `:${port}/`);
  await eventually(() => answers(`${through(server.url)}`));
  return {
    through,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), 2_000);
      await child.exited;
      clearTimeout(kill);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
