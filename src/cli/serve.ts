/** `bve serve`: checks the configuration, runs the gateway until SIGTERM or SIGINT, stops it gracefully. */
import type { Host } from '../cluster/host.ts';
import { ConfigError } from '../config/config-error.ts';
import {
  type Loaded,
  type LoadRequest,
  loadConfig,
  proxyVariables,
  readCaFile,
  unusedProxyVariable,
  type WorkerAssignment,
  workerAssignment,
} from '../config/load.ts';
import { type Config, isLoopback, PEPPER_LENGTH_MIN } from '../config/schema.ts';
import { LimitsMisconfigured } from '../limits/limiter.ts';
import { ListenError } from '../listen-error.ts';
import type { Log } from '../observe/log.ts';
import type { RunningGateway } from '../server.ts';
import { descriptorLimit } from '../spare-descriptors.ts';
import { StoreError } from '../store/store-error.ts';
import type { UpstreamNetwork } from '../upstream/create-client.ts';
import { type HttpProxy, proxyFor } from '../upstream/proxy.ts';
import type { UsageClosing } from '../usage/usage-writer.ts';
import { VERSION } from '../version.ts';
import { type Command, CommandFailure, textFlag } from './command.ts';
import { CONFIG_DETAILS, CONFIG_FLAGS } from './config-flags.ts';
import { whyNotListening } from './not-listening.ts';
import { settleRuntimeEnvironment } from './runtime-environment.ts';
import { type StopSignals, stopSignals } from './stop-signal.ts';

export const serve: Command = {
  name: 'serve',
  summary: 'run the gateway',
  options: CONFIG_FLAGS,
  details: `${CONFIG_DETAILS}

With WORKERS it runs several processes on one port, which count limits in Redis; one that dies is replaced, and SIGHUP replaces
them one after the other, with the configuration as it is then, without losing a request.

SIGTERM or SIGINT stops it: /ready is 503, after READY_GRACE_MS new requests are refused, those in flight may finish within
DRAIN_TIMEOUT_MS, a second signal cuts them. SIGHUP reads file and value files again: LOG_LEVEL, the targets and their keys are
taken over without touching an open request, what else has changed is named in the log and needs a restart. A file with a
mistake changes nothing.

The least it needs:
  export FUELIX_API_KEY=... API_KEY_PEPPER=at-least-16-characters
  bve serve
  bve keys create --name first     in another terminal, with the same API_KEY_PEPPER and in the same folder`,
  async run(args) {
    const request = { configFile: textFlag(args, 'config'), flags: args.flags };
    const loaded = loadConfig(request);
    const { config } = loaded;
    const network = { proxies: proxyVariables(), ca: readCaFile('FUELIX_CA_FILE', config.fuelixCaFile) };
    const proxies = loaded.targets.map(({ baseUrl }) => proxyOf(baseUrl, network));
    settleRuntimeEnvironment();
    // Not before: a process that begins anew would forget the signal. Until here it ends the process by itself.
    const signals = stopSignals();
    const assignment = workerAssignment();
    if (assignment !== null) return serveAsWorker(loaded, network, assignment, signals);
    if (config.workers > 1) return (await import('./serve-workers.ts')).serveWorkers(loaded, request, signals);
    const reloads = new ReloadSignals();
    // What is most of the program (the log, the server) is loaded when the process will not begin anew any more.
    checkDescriptors();
    const { createLog } = await import('../observe/log.ts');
    const log = createLog(config.logLevel, config.logFormat);
    const gateway = await Promise.race([start(loaded, network, log), signals.first]);
    // Nothing was served yet, so nothing is lost; what the start waits for (a database, the warm-up) is not waited for.
    if (typeof gateway === 'string') {
      log.info({ signal: gateway }, 'stopping');
      return stopped(log, 0);
    }
    // The port must be found even at LOG_LEVEL=silent, or PORT=0 would be of no use.
    const always = log.child({}, { level: 'info' });
    if (gateway.metricsUrl) always.info({ url: gateway.metricsUrl }, `metrics on ${gateway.metricsUrl}`);
    always.info({ url: gateway.url, port: gateway.port, version: VERSION }, `listening on ${gateway.url}`);
    for (const [index, { name, baseUrl }] of loaded.targets.entries()) {
      const proxy = proxies[index];
      log.info(
        { target: name, url: baseUrl, proxy: proxy ? `${proxy.hostname}:${proxy.port}` : undefined },
        'upstream',
      );
    }
    warnAboutEnvironment(config, log);
    reloads.serve(() => reload(request, gateway, log));
    log.info({ signal: await signals.first }, 'stopping');
    return ended(await gateway.stop(signals.second), log);
  },
};

/** One of several; the supervisor tells of the port, of signals and of everything that concerns them all. */
async function serveAsWorker(
  loaded: Loaded,
  network: UpstreamNetwork,
  { place, workers, port }: WorkerAssignment,
  signals: StopSignals,
): Promise<number> {
  const [{ createLog }, { WorkerLink }, { shareOf }] = await Promise.all([
    import('../observe/log.ts'),
    import('../cluster/worker-link.ts'),
    import('../cluster/shares.ts'),
  ]);
  // The supervisor reads the configuration anew, and starts others with it.
  process.on('SIGHUP', () => {});
  const log = createLog(loaded.config.logLevel, loaded.config.logFormat).child({ worker: place + 1 });
  const orphaned = Promise.withResolvers<string>();
  const link = new WorkerLink(() => orphaned.resolve('the supervisor has ended'));
  const own = shareOf({ ...loaded, config: { ...loaded.config, port } }, workers);
  const gateway = await start(own, network, log, { host: link, isFirst: place === 0 }).catch((error: unknown) => {
    // Open, the line would keep the process alive.
    process.disconnect?.();
    throw error;
  });
  link.ready(gateway.url);
  const reason = await Promise.race([signals.first, orphaned.promise, gateway.retired.then(() => null)]);
  if (reason !== null) log.info({ signal: reason }, 'stopping');
  const cut = signals.second;
  const closing = await (reason === null ? gateway.retire(() => link.retired(), cut) : gateway.stop(cut));
  return ended(closing, log);
}

function ended({ spilled, lost }: UsageClosing, log: Log): never {
  if (spilled > 0) log.warn({ spilled }, 'usage records are in a file, the next start takes them up');
  if (lost > 0) log.error({ lost }, 'usage records are lost');
  return stopped(log, lost > 0 ? 1 : 0);
}

/** SIGHUP, from now on; one that comes during the start is served after it. */
class ReloadSignals {
  #reload: (() => void) | null = null;
  #isPending = false;

  constructor() {
    process.on('SIGHUP', () => {
      if (this.#reload) this.#reload();
      else this.#isPending = true;
    });
  }

  serve(reload: () => void): void {
    this.#reload = reload;
    if (this.#isPending) reload();
  }
}

function reload(request: LoadRequest, gateway: RunningGateway, log: Log): void {
  try {
    const needRestart = gateway.reload(loadConfig(request));
    const rest = needRestart.length > 0 ? { need_restart: needRestart } : {};
    log.info(rest, 'configuration reloaded');
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [(error as Error).message];
    log.error({ problems }, 'the configuration is not reloaded, the one before stays in effect');
  }
}

/** Ends the process whatever is pending: Bun cannot cancel an attempt to connect, which would keep it for minutes. */
function stopped(log: Log, exitCode: number): never {
  log.info({}, 'stopped');
  process.exit(exitCode);
}

async function start(
  loaded: Loaded,
  network: UpstreamNetwork,
  log: Log,
  shared?: { readonly host: Host; readonly isFirst: boolean },
) {
  const { startGateway } = await import('../server.ts');
  try {
    return await startGateway(loaded, network, log, shared);
  } catch (error) {
    if (error instanceof StoreError || error instanceof LimitsMisconfigured) throw new CommandFailure(error.message);
    if (error instanceof ListenError) throw new CommandFailure(whyNotListening(loaded.config, error));
    throw error;
  }
}

/** @throws ConfigError */
function proxyOf(baseUrl: string, { proxies }: UpstreamNetwork): HttpProxy | null {
  try {
    return proxyFor(new URL(baseUrl), proxies);
  } catch (error) {
    throw new ConfigError([(error as Error).message]);
  }
}

/** Below this there is none for a request. */
const DESCRIPTORS_MIN = 64;

function checkDescriptors(): void {
  const limit = descriptorLimit();
  if (limit < DESCRIPTORS_MIN)
    throw new CommandFailure(`ulimit -n is ${limit}: at least ${DESCRIPTORS_MIN} file descriptors are needed`);
}

function warnAboutEnvironment(config: Config, log: Log): void {
  const unused = unusedProxyVariable();
  if (unused !== undefined) log.warn({ variable: unused }, `${unused} is not used: set HTTPS_PROXY or HTTP_PROXY`);
  if (config.maxBodyBytesTotal < config.maxBodyBytes) {
    log.warn({}, 'MAX_BODY_BYTES_TOTAL is less than MAX_BODY_BYTES: there is never room for the largest bodies');
  }
  if (config.apiKeyPepper.length < PEPPER_LENGTH_MIN && isLoopback(config.host)) {
    log.warn({}, `API_KEY_PEPPER is shorter than ${PEPPER_LENGTH_MIN} characters: accepted on a loopback address only`);
  }
}
