/**
 * The way to Redis: runs the script in time, or says at once that it cannot.
 *
 * Guarantees: commands are sent in the order of the calls. An answer that does not come within the timeout, a lost connection
 * or a server that cannot do its work (read-only, loading, no permission) makes the link `away`: whoever asks is told so without
 * waiting, what is under way fails, and a new client is tried four times a second until one has run the script. A new client
 * asks sentinels or the cluster anew, so a failover is found like a restart. No command is ever sent twice.
 */
import { Cluster, Redis, type RedisOptions } from 'iovalkey';
import { LimitsMisconfigured, LimitsUnavailable } from '../limiter.ts';
import type { LimitScript } from './redis-limiter.ts';
import type { RedisAddress } from './redis-url.ts';
import { SCRIPT, type ScriptCall, scriptArgument } from './script.ts';

interface RedisLinkOptions {
  readonly timeoutMs: number;
  /** PEM of the authorities that may have signed the server's certificate; undefined: those built in. */
  readonly ca?: string | undefined;
  /** Default: the one of this project. */
  readonly script?: string;
  /** Also for each try to reach it that fails; `isFirst`: until now it could be reached. */
  readonly onAway?: (error: Error, isFirst: boolean) => void;
  readonly onBack?: () => void;
}

type Client = Redis | Cluster;

interface Session {
  readonly client: Client;
  /** Commands without an answer, and since when the first of them has waited at most. */
  waiting: number;
  sinceMs: number;
}

const RETRY_MS = 250;
/** Connecting may take longer than an answer: names are resolved, TLS is set up, sentinels are asked. */
const CONNECT_MS = 2_000;
/** Errors that only a change of the configuration can mend. */
const REFUSALS = /^(WRONGPASS|NOAUTH|NOPERM|MOVED|ERR (unknown command|invalid password|Client sent AUTH|DB index))/;

export class RedisLink implements LimitScript {
  readonly #address: RedisAddress;
  readonly #options: RedisLinkOptions;
  readonly #script: string;
  readonly #sha: string;
  #session: Session | null = null;
  #isClosed = false;
  #retryTimer: Timer | null = null;
  #watch: Timer | null = null;

  constructor(address: RedisAddress, options: RedisLinkOptions) {
    this.#address = address;
    this.#options = options;
    this.#script = options.script ?? SCRIPT;
    this.#sha = Bun.SHA1.hash(this.#script, 'hex');
  }

  get isAway(): boolean {
    return this.#session === null;
  }

  /** Resolves when the script has run, or Redis cannot be reached for the moment. @throws LimitsMisconfigured */
  async start(): Promise<void> {
    try {
      await this.#connect();
    } catch (error) {
      if (REFUSALS.test((error as Error).message))
        throw new LimitsMisconfigured(refusalOf(error as Error, this.#address));
      this.#options.onAway?.(error as Error, true);
      this.#retrySoon();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#retryTimer) clearTimeout(this.#retryTimer);
    if (this.#watch) clearInterval(this.#watch);
    this.#session?.client.disconnect();
    this.#session = null;
  }

  run(keyId: string, call: ScriptCall): Promise<unknown> {
    const session = this.#session;
    if (session === null) return Promise.reject(new LimitsUnavailable('Redis cannot be reached'));
    if (session.waiting++ === 0) session.sinceMs = performance.now();
    this.#watch ??= setInterval(() => this.#look(), this.#options.timeoutMs / 10).unref();
    // Answers come in the order of the commands: whoever is first then has waited since this one's at most.
    const answered = () => {
      session.waiting--;
      session.sinceMs = performance.now();
    };
    return this.#send(session.client, keyId, call).then(
      (reply) => {
        answered();
        return reply;
      },
      (error: Error) => {
        answered();
        this.#lose(session, error);
        throw new LimitsUnavailable(`Redis: ${error.message}`, { cause: error });
      },
    );
  }

  #send(client: Client, keyId: string, call: ScriptCall): Promise<unknown> {
    const keys = [`bve:{${keyId}}:counts`, `bve:{${keyId}}:permits`];
    const argument = scriptArgument(call);
    return client.evalsha(this.#sha, 2, ...keys, argument).catch((error: Error) => {
      // The server was restarted or its scripts were flushed; it did not run.
      if (!error.message.startsWith('NOSCRIPT')) throw error;
      return client.eval(this.#script, 2, ...keys, argument);
    });
  }

  #look(): void {
    const session = this.#session;
    if (session === null || session.waiting === 0) {
      if (this.#watch) clearInterval(this.#watch);
      this.#watch = null;
    } else if (performance.now() - session.sinceMs > this.#options.timeoutMs) {
      this.#lose(session, new Error(`no answer within ${this.#options.timeoutMs} ms`));
    }
  }

  #lose(session: Session, error: Error): void {
    if (this.#session !== session || this.#isClosed) return;
    this.#session = null;
    // What is under way fails.
    session.client.disconnect();
    this.#options.onAway?.(error, true);
    this.#retrySoon();
  }

  #retrySoon(): void {
    if (this.#isClosed) return;
    this.#retryTimer = setTimeout(() => {
      this.#connect().then(
        () => this.#options.onBack?.(),
        (error: Error) => {
          this.#options.onAway?.(error, false);
          this.#retrySoon();
        },
      );
    }, RETRY_MS).unref();
  }

  async #connect(): Promise<void> {
    const client = this.#create();
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error(`no connection within ${CONNECT_MS} ms`)), CONNECT_MS);
    // An error of a connection is told by what is under way on it.
    let lastError: Error | null = null;
    client.on('error', (error: Error) => {
      lastError = error;
    });
    try {
      await Promise.race([client.connect().then(() => this.#check(client)), tooLate]);
    } catch (error) {
      client.disconnect();
      // "Connection is closed" tells less than the error before it.
      throw isClosedError(error) && lastError !== null ? lastError : error;
    } finally {
      clearTimeout(timer);
    }
    if (this.#isClosed) return client.disconnect();
    const session: Session = { client, waiting: 0, sinceMs: 0 };
    this.#session = session;
    client.on('end', () => this.#lose(session, lastError ?? new Error('the connection was closed')));
  }

  /** That it does what it is there for. */
  async #check(client: Client): Promise<void> {
    // Of a client without a password a command with many arguments is a "protocol error"; this one is told why.
    await client.ping();
    if (client instanceof Redis && this.#address.kind === 'single') {
      // A user may lack the right to ask.
      const info = await client.info('server').catch(() => '');
      if (/^redis_mode:cluster\r?$/m.test(info)) throw new Error('MOVED: a node of a cluster');
    }
    await this.#send(client, 'probe', PROBE);
  }

  #create(): Client {
    const { kind, tls, nodes, username, password, database, primary } = this.#address;
    const { ca } = this.#options;
    const tlsOptions = tls ? { tls: ca === undefined ? {} : { ca } } : {};
    const options: RedisOptions = {
      lazyConnect: true,
      connectionName: 'bve',
      connectTimeout: CONNECT_MS,
      enableOfflineQueue: false,
      // It wants INFO, for which a user may have no right; the probe finds out the same.
      enableReadyCheck: false,
      enableAutoPipelining: true,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
      reconnectOnError: null,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...tlsOptions,
    };
    switch (kind) {
      case 'single':
        return new Redis({ ...options, ...nodes[0]!, db: database });
      case 'sentinel':
        return new Redis({
          ...options,
          sentinels: nodes.map((node) => ({ ...node })),
          name: primary!,
          db: database,
          sentinelRetryStrategy: () => null,
          ...(tls ? { enableTLSForSentinelMode: true, sentinelTLS: tlsOptions.tls! } : {}),
        });
      case 'cluster':
        return new Cluster(
          nodes.map((node) => ({ ...node })),
          {
            lazyConnect: true,
            enableOfflineQueue: false,
            clusterRetryStrategy: () => null,
            slotsRefreshTimeout: CONNECT_MS,
            redisOptions: { ...options, lazyConnect: false },
            // A certificate is for the name that the configuration has.
            dnsLookup: (address, callback) => callback(null, address),
          },
        );
    }
  }
}

/** Reads and writes what no key has, so that a replica or a user without rights is found out. */
const PROBE: ScriptCall = {
  mode: 'settle',
  version: '',
  process: 'probe',
  held: 0,
  released: 0,
  reserved: 0,
  tokens: 0,
  month: -1,
  limits: [-1, -1, -1, -1, -1],
  seed: null,
};

function isClosedError(error: unknown): boolean {
  return /Connection is closed|Stream isn't writeable/.test((error as Error).message);
}

function refusalOf(error: Error, { kind }: RedisAddress): string {
  if (error.message.startsWith('MOVED') && kind !== 'cluster') {
    return 'REDIS_URL names a node of a cluster: write redis+cluster:// in place of redis://';
  }
  return `REDIS_URL: Redis says ${error.message}`;
}
