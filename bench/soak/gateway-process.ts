/**
 * The gateway under test, as an operator runs it: started, reloaded, stopped and killed, on the same port all the time. Keeps
 * what it says that somebody must explain.
 */

import { join, resolve } from 'node:path';
import { type Child, spawnChild } from '../suite/child.ts';
import { ROOT } from '../suite/folders.ts';
import { processTree } from '../suite/process-cost.ts';
import { nowMs } from './outcome.ts';

const STARTS_WITHIN_MS = 30_000;
const ENDS_WITHIN_MS = 30_000;
/** A process that lives answers in less; what is beyond that is a machine that did not let it run. */
const PULSE_GAP_MAX_MS = 25;
const PULSE_MS = 400;
const TROUBLE_LINES_MAX = 200;

/** `bve` as a command line: the binary named by BVE_BIN, or the source. */
export const BVE: readonly string[] = process.env.BVE_BIN
  ? [resolve(ROOT, process.env.BVE_BIN)]
  : [process.execPath, '--no-env-file', join(ROOT, 'src/main.ts')];

/** The gateway was away: asked to stop, or killed, and started again. */
export interface Outage {
  readonly kind: 'stop' | 'kill';
  /** When the signal was sent. */
  readonly fromMs: number;
  /** When the process had ended. */
  readonly exitMs: number;
  /** When the next one listened. */
  readonly readyMs: number;
  /** When it was seen alive before a kill, ascending. */
  readonly pulse: readonly number[];
}

interface Lifetime {
  readonly pid: number;
  readonly startedMs: number;
}

export class GatewayProcess {
  readonly lifetimes: Lifetime[] = [];
  readonly outages: Outage[] = [];
  /** Log lines of the level error, and whatever was printed on stderr. */
  readonly trouble: string[] = [];
  readonly url: string;
  readonly #args: readonly string[];
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string>>;
  #child: Child | undefined;
  #reloads = Promise.withResolvers<string>();

  constructor(options: {
    readonly port: number;
    readonly folder: string;
    readonly configFile: string;
    readonly env: Readonly<Record<string, string>>;
  }) {
    this.url = `http://127.0.0.1:${options.port}`;
    this.#folder = options.folder;
    this.#args = ['serve', '--config', options.configFile, '--port', String(options.port)];
    this.#env = options.env;
  }

  get pid(): number {
    return this.#child!.pid;
  }

  async start(): Promise<void> {
    const child = spawnChild([...BVE, ...this.#args], { core: null, cwd: this.#folder, env: this.#env }, true);
    this.#child = child;
    const listening = Promise.withResolvers<void>();
    void this.#read(child, listening.resolve);
    const failed = child.process.exited.then((code) => {
      throw new Error(`the gateway ended with ${code}: ${child.output().slice(-1_000)} ${this.trouble.at(-1) ?? ''}`);
    });
    const late = Bun.sleep(STARTS_WITHIN_MS).then(() => {
      throw new Error('the gateway does not listen');
    });
    await Promise.race([listening.promise, failed, late]);
    failed.catch(() => {});
    late.catch(() => {});
    this.lifetimes.push({ pid: child.pid, startedMs: nowMs() });
  }

  /** @returns what it says of the reload */
  async reload(): Promise<string> {
    this.#reloads = Promise.withResolvers<string>();
    this.#child!.process.kill('SIGHUP');
    const late = Bun.sleep(ENDS_WITHIN_MS).then(() => 'nothing');
    return Promise.race([this.#reloads.promise, late]);
  }

  /** SIGTERM, the end of what is in flight, and a new start. */
  async restart(): Promise<void> {
    const fromMs = nowMs();
    const exitMs = await this.stop();
    await this.start();
    this.outages.push({ kind: 'stop', fromMs, exitMs, readyMs: nowMs(), pulse: [] });
  }

  /** kill -9 of all its processes, and a new start. */
  async killAndStart(): Promise<void> {
    const pulse = await this.#feelPulse();
    const fromMs = nowMs();
    for (const pid of processTree(this.pid)) process.kill(pid, 'SIGKILL');
    await this.#child!.process.exited;
    const exitMs = nowMs();
    await this.start();
    this.outages.push({ kind: 'kill', fromMs, exitMs, readyMs: nowMs(), pulse });
  }

  /** @returns when it had ended */
  async stop(): Promise<number> {
    const { process: child } = this.#child!;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), ENDS_WITHIN_MS);
    const code = await child.exited;
    clearTimeout(timer);
    if (code !== 0) this.#note(`exit code ${code} after SIGTERM`);
    const said = this.#child!.output().trim();
    if (said !== '') this.#note(`stderr: ${said.slice(0, 2_000)}`);
    return nowMs();
  }

  async #feelPulse(): Promise<number[]> {
    const pulse: number[] = [];
    const untilMs = nowMs() + PULSE_MS;
    while (nowMs() < untilMs) {
      const answer = await fetch(`${this.url}/health`);
      await answer.arrayBuffer();
      pulse.push(nowMs());
      await Bun.sleep(1);
    }
    return pulse;
  }

  async #read({ process: { stdout } }: Child, onListening: () => void): Promise<void> {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const part of stdout) {
      const lines = (rest + decoder.decode(part, { stream: true })).split('\n');
      rest = lines.pop()!;
      for (const line of lines) this.#line(line, onListening);
    }
  }

  #line(line: string, onListening: () => void): void {
    if (line.includes('"listening on http')) onListening();
    // Of workers each is replaced by one with the new configuration.
    else if (/"(configuration reloaded|all workers are replaced)"/.test(line)) this.#reloads.resolve('reloaded');
    else if (line.includes('"the configuration is not reloaded')) this.#reloads.resolve('refused');
    else if (line.includes('"level":"error"') || line.includes('wait or are lost')) this.#note(line);
  }

  #note(text: string): void {
    if (this.trouble.length < TROUBLE_LINES_MAX) this.trouble.push(text);
  }
}

/** For how long the killed gateway went on from a time, as far as the machine let it. */
export function livedMs({ fromMs, pulse }: Outage, sinceMs: number): number {
  let lived = 0;
  let beforeMs = sinceMs;
  for (const atMs of [...pulse, fromMs]) {
    if (atMs <= sinceMs) continue;
    lived += Math.min(atMs - beforeMs, PULSE_GAP_MAX_MS);
    beforeMs = atMs;
  }
  return lived;
}
