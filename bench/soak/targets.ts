/** The upstream targets of the soak: `bve mock`, a process each, killed and started again on its port. */
import { type Child, freePort, spawnChild, waitForPort } from '../suite/child.ts';
import { BVE } from './gateway-process.ts';
import { nowMs } from './outcome.ts';

export interface TargetStop {
  readonly target: string;
  readonly atMs: number;
  readonly backMs: number;
}

export class SoakTarget {
  readonly #folder: string;
  #child: Child | undefined;

  private constructor(
    readonly name: string,
    readonly port: number,
    folder: string,
  ) {
    this.#folder = folder;
  }

  static async start(name: string, folder: string): Promise<SoakTarget> {
    const target = new SoakTarget(name, await freePort(), folder);
    await target.#start();
    return target;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/v1`;
  }

  /** kill -9, a while without it, and the same again on the same port. */
  async restart(awayMs: number): Promise<TargetStop> {
    const atMs = nowMs();
    await this.kill();
    await Bun.sleep(awayMs);
    await this.#start();
    return { target: this.name, atMs, backMs: nowMs() };
  }

  async kill(): Promise<void> {
    const child = this.#child!;
    child.process.kill('SIGKILL');
    await child.process.exited;
  }

  async #start(): Promise<void> {
    this.#child = spawnChild([...BVE, 'mock', '--port', String(this.port)], { core: null, cwd: this.#folder });
    await waitForPort(this.port, this.#child);
  }
}
