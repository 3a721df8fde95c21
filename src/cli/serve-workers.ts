/** `bve serve` with WORKERS: a supervisor, which listens on nothing but METRICS_PORT, and the processes that serve. */
import { createServer } from 'node:net';
import { Supervisor } from '../cluster/supervisor.ts';
import { localUrl } from '../config/address.ts';
import { ConfigError } from '../config/config-error.ts';
import { type Loaded, type LoadRequest, loadConfig, workerEnvironment } from '../config/load.ts';
import { MetricsEndpoint } from '../http/metrics-endpoint.ts';
import { ListenError } from '../listen-error.ts';
import { createLog, type Log } from '../observe/log.ts';
import { snapshotOf } from '../observe/metrics/create-metrics.ts';
import { METRICS_CONTENT_TYPE, metricsText } from '../observe/metrics/text.ts';
import { readTextFile } from '../text-file.ts';
import { VERSION } from '../version.ts';
import { CommandFailure } from './command.ts';
import { whyNotListening } from './not-listening.ts';
import { bveCommand } from './runtime-environment.ts';
import type { StopSignals } from './stop-signal.ts';

export async function serveWorkers(loaded: Loaded, request: LoadRequest, signals: StopSignals): Promise<number> {
  const { config } = loaded;
  const log = createLog(config.logLevel, config.logFormat);
  const port = await freeOrGiven(loaded);
  const supervisor = new Supervisor({
    workers: config.workers,
    command: bveCommand(),
    environmentOf: (place) => workerEnvironment({ place, workers: config.workers, port }),
    log,
  });
  process.on('SIGHUP', () => roll(request, loaded, supervisor, log));
  const stopping = signals.first.then((signal) => {
    log.info({ signal }, 'stopping');
    supervisor.signal('SIGTERM');
  });
  void signals.second.then(() => supervisor.signal('SIGTERM'));
  const metrics = metricsServer(loaded, supervisor);
  const url = await supervisor.start();
  if (url !== null) {
    const always = log.child({}, { level: 'info' });
    if (metrics) {
      const metricsUrl = `${localUrl(config.host, metrics.port!)}/metrics`;
      always.info({ url: metricsUrl }, `metrics on ${metricsUrl}`);
    }
    always.info({ url, port, workers: config.workers, version: VERSION }, `listening on ${url}`);
    if (!survivesClosedListeners()) {
      log.warn(
        {},
        'net.ipv4.tcp_migrate_req is 0: of connections that wait when a worker is replaced some are reset (sysctl -w net.ipv4.tcp_migrate_req=1)',
      );
    }
  }
  const exitCode = await supervisor.ended;
  if (url !== null) await Promise.race([stopping, Promise.resolve()]);
  await metrics?.stop(true);
  log.info({}, 'stopped');
  process.exit(exitCode);
}

/** A mistake changes nothing. What is not read again by a replacement: how many there are, and where they listen. */
function roll(request: LoadRequest, started: Loaded, supervisor: Supervisor, log: Log): void {
  try {
    const { config } = loadConfig(request);
    const fixed = (['workers', 'host', 'port', 'metricsPort'] as const).filter(
      (name) => config[name] !== started.config[name],
    );
    const rest = fixed.length > 0 ? { need_restart: fixed } : {};
    log.info(rest, 'workers are replaced one after the other');
    void supervisor.roll();
  } catch (error) {
    const problems = error instanceof ConfigError ? error.problems : [(error as Error).message];
    log.error({ problems }, 'the configuration is not reloaded, the one before stays in effect');
  }
}

function metricsServer({ config }: Loaded, supervisor: Supervisor) {
  if (config.metricsPort === undefined) return null;
  const endpoint = new MetricsEndpoint({
    token: undefined,
    contentType: METRICS_CONTENT_TYPE,
    text: async () => metricsText(await snapshotOf(supervisor)),
  });
  try {
    return endpoint.listen(config.host, config.metricsPort);
  } catch (error) {
    throw new CommandFailure(whyNotListening(config, new ListenError(error, 'METRICS_PORT')));
  }
}

/**
 * The port of the workers: any of them could share it with a stranger that allows it, so whether it is free is found out by
 * listening alone.
 */
function freeOrGiven({ config }: Loaded): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', (error) => reject(new CommandFailure(whyNotListening(config, new ListenError(error, 'PORT')))));
    server.listen({ host: config.host.replace(/^\[(.*)\]$/, '$1'), port: config.port }, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Linux hands what waits in the queue of a closed listening socket to another on the port only then. */
function survivesClosedListeners(): boolean {
  try {
    return readTextFile('/proc/sys/net/ipv4/tcp_migrate_req', 16).trim() === '1';
  } catch {
    return true;
  }
}
