/**
 * How Postgres is reached: what DATABASE_URL and its options mean to Bun.SQL.
 *
 * `idleTimeout` and `maxLifetime` stay 0: Bun closes connections by them in the middle of a query (oven-sh/bun#30646).
 */
import { SQL } from 'bun';
import type { PostgresOptions } from '../store.ts';
import { StoreError } from '../store-error.ts';

/** As libpq's sslmode (PostgreSQL documentation, 34.19). */
const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
type SslMode = (typeof SSL_MODES)[number];

export const DEFAULT_POSTGRES_OPTIONS: PostgresOptions = {
  poolMax: 10,
  statementTimeoutMs: 5_000,
  connectTimeoutMs: 5_000,
  prepare: true,
  ca: undefined,
};

export function isPostgresUrl(databaseUrl: string): boolean {
  return /^postgres(ql)?:\/\//.test(databaseUrl);
}

interface Address {
  /** As Bun takes it. */
  readonly url: string;
  readonly host: string;
  readonly sslMode: SslMode;
}

/** @throws StoreError 'unusable', with a message that repeats no password */
export function addressOf(databaseUrl: string): Address {
  const url = URL.parse(databaseUrl);
  if (url === null) throw unusable('it is no URL');
  if (url.pathname.length < 2) throw unusable('it names no database, as in postgres://user@host/bve');
  const sslMode = url.searchParams.get('sslmode') ?? 'prefer';
  const others = [...url.searchParams.keys()].filter((name) => name !== 'sslmode');
  if (others.length > 0) throw unusable(`it has the parameter '${others[0]}', and may have sslmode only`);
  if (!isSslMode(sslMode)) throw unusable(`sslmode must be one of ${SSL_MODES.join(', ')}`);
  // Bun knows the modes that check nothing, by the URL; the others it knows by their certificates.
  url.search = sslMode.startsWith('verify') ? '' : `?sslmode=${sslMode}`;
  return { url: url.href, host: url.hostname, sslMode };
}

/** @throws StoreError 'unusable' */
export function connectTo(databaseUrl: string, options: PostgresOptions): SQL {
  const { url, host, sslMode } = addressOf(databaseUrl);
  const { poolMax, statementTimeoutMs, connectTimeoutMs, prepare, ca } = options;
  return new SQL(url, {
    adapter: 'postgres',
    max: poolMax,
    idleTimeout: 0,
    maxLifetime: 0,
    connectionTimeout: connectTimeoutMs / 1000,
    prepare,
    ...(sslMode.startsWith('verify') ? { tls: verified(host, sslMode, ca) } : {}),
    // A pooler between us and Postgres refuses what it does not know; there the role must have the timeout.
    ...(prepare ? { connection: { statement_timeout: String(statementTimeoutMs), application_name: 'bve' } } : {}),
  } as SQL.Options);
}

function verified(host: string, sslMode: SslMode, ca: string | undefined) {
  return {
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
    ...(sslMode === 'verify-full' ? { serverName: host } : { checkServerIdentity: () => undefined }),
  };
}

function isSslMode(text: string): text is SslMode {
  return (SSL_MODES as readonly string[]).includes(text);
}

function unusable(reason: string): StoreError {
  return new StoreError('unusable', `DATABASE_URL cannot be used: ${reason}`);
}
