/**
 * Runs the workers of a host: processes that listen on one port (SO_REUSEPORT), of which the kernel gives each new connection
 * to one.
 *
 * Guarantees: a worker that dies is replaced, after a pause that grows; when they die before they listen, again and again,
 * it gives up. In a rolling restart each replacement listens before the worker it replaces closes its socket, so there is
 * always one that accepts. What any worker asks of all is answered by those that answer within a second.
 */
import type { Log } from '../observe/log.ts';
import type { FromWorker, Question, ToWorker } from './messages.ts';

interface SupervisorOptions {
  readonly workers: number;
  /** Of a worker. */
  readonly command: readonly string[];
  /** Of the worker in this place. */
  environmentOf(place: number): Record<string, string>;
  readonly log: Log;
}

const ANSWERS_WITHIN_MS = 1_000;
const PAUSE_MIN_MS = 100;
const PAUSE_MAX_MS = 5_000;
/** A worker that lived that long did not die of its start. */
const LIVED_MS = 10_000;
const EARLY_DEATHS_MAX = 5;

interface Worker {
  readonly place: number;
  readonly process: Bun.Subprocess;
  readonly startedAtMs: number;
  readonly ready: Promise<string>;
  /** Its listening socket is closed, or it is dead. */
  readonly retired: Promise<void>;
  onReady(url: string): void;
  onRetired(): void;
  readonly isReplacement: boolean;
  isReady: boolean;
  /** It is to end: its end is no death. */
  isLeaving: boolean;
  isWatched: boolean;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  /** By place; a place may be empty for a moment. */
  readonly #current = new Map<number, Worker>();
  /** Those that are replaced and not gone yet are among them. */
  readonly #alive = new Set<Worker>();
  readonly #questions = new Map<number, (worker: Worker, answer: unknown) => void>();
  #nextQuestion = 0;
  #earlyDeaths = 0;
  #hasStarted = false;
  #isStopping = false;
  #rolling: Promise<void> | null = null;
  #rollAgain = false;
  #worstExit = 0;
  readonly #gone = Promise.withResolvers<number>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** Resolves with the exit code when all workers have ended, after `signal` or because they cannot be kept alive. */
  get ended(): Promise<number> {
    return this.#gone.promise;
  }

  /** @returns the URL on which they listen; null when one of them ended instead, and then `ended` resolves */
  async start(): Promise<string | null> {
    const workers = Array.from({ length: this.#options.workers }, (_, place) => this.#spawn(place, false));
    try {
      const [url] = await Promise.all(workers.map(({ ready }) => ready));
      this.#hasStarted = true;
      return url!;
    } catch {
      this.#end('SIGTERM');
      return null;
    }
  }

  /** SIGTERM drains them all, a second one cuts. */
  signal(name: NodeJS.Signals): void {
    this.#end(name);
  }

  /** Replaces the workers one after the other. One that runs already is followed by another. */
  roll(): Promise<void> {
    if (this.#rolling) {
      this.#rollAgain = true;
      return this.#rolling;
    }
    this.#rolling = this.#roll().finally(() => {
      this.#rolling = null;
    });
    return this.#rolling;
  }

  /** What all of them answer, but those that are too slow or on their way out. */
  async collect(question: Question): Promise<unknown[]> {
    const asked = [...this.#alive].filter(({ isReady }) => isReady);
    const answers = new Map<Worker, unknown>();
    const { promise, resolve } = Promise.withResolvers<void>();
    const id = this.#nextQuestion++;
    this.#questions.set(id, (worker, answer) => {
      answers.set(worker, answer);
      if (asked.every((one) => answers.has(one) || !this.#alive.has(one))) resolve();
    });
    const timer = setTimeout(resolve, ANSWERS_WITHIN_MS);
    for (const worker of asked) this.#send(worker, { kind: 'question', id, question });
    if (asked.length > 0) await promise;
    clearTimeout(timer);
    this.#questions.delete(id);
    return [...answers.values()].filter((answer) => answer !== null);
  }

  async #roll(): Promise<void> {
    const { log } = this.#options;
    do {
      this.#rollAgain = false;
      for (const [place, old] of [...this.#current]) {
        if (this.#isStopping) return;
        const next = this.#spawn(place, true);
        try {
          await next.ready;
        } catch {
          log.error({ worker: place + 1 }, 'the replacement did not start, the rolling restart ends here');
          this.#current.set(place, old);
          return;
        }
        old.isLeaving = true;
        this.#send(old, { kind: 'retire' });
        await old.retired;
      }
      log.info({ workers: this.#options.workers }, 'all workers are replaced');
    } while (this.#rollAgain && !this.#isStopping);
  }

  #spawn(place: number, isReplacement: boolean): Worker {
    const ready = Promise.withResolvers<string>();
    const retired = Promise.withResolvers<void>();
    // Whoever does not wait for it is not to be told of by the runtime.
    ready.promise.catch(() => {});
    const child = Bun.spawn([...this.#options.command], {
      env: this.#options.environmentOf(place),
      // Ctrl-C is for the supervisor, which passes it on.
      detached: true,
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
      ipc: (message) => this.#receive(worker, message as FromWorker),
      serialization: 'json',
    });
    const worker: Worker = {
      place,
      process: child,
      startedAtMs: performance.now(),
      ready: ready.promise,
      retired: retired.promise,
      onReady: ready.resolve,
      onRetired: retired.resolve,
      isReplacement,
      isReady: false,
      isLeaving: false,
      isWatched: false,
    };
    this.#alive.add(worker);
    this.#current.set(place, worker);
    void child.exited.then((exitCode) => {
      ready.reject(new Error(`worker ${place + 1} ended with exit code ${exitCode}`));
      retired.resolve();
      this.#died(worker, exitCode);
    });
    return worker;
  }

  #died(worker: Worker, exitCode: number): void {
    const { place, process: child, startedAtMs, isReady, isLeaving, isReplacement } = worker;
    this.#alive.delete(worker);
    this.#tellWatched();
    const isCurrent = this.#current.get(place) === worker;
    if (isCurrent) this.#current.delete(place);
    if (isLeaving || this.#isStopping || !this.#hasStarted) {
      // One that our signal met before it could listen to signals has no exit code of its own.
      if (child.signalCode !== 'SIGTERM') this.#worstExit = Math.max(this.#worstExit, exitCode);
      if (this.#isStopping && this.#alive.size === 0) this.#gone.resolve(this.#worstExit);
      return;
    }
    // Whoever waits for it tells of it.
    if (isReplacement && !isReady) return;
    const livedMs = performance.now() - startedAtMs;
    this.#earlyDeaths = livedMs < LIVED_MS ? this.#earlyDeaths + 1 : 0;
    const { log } = this.#options;
    const told = {
      worker: place + 1,
      pid: child.pid,
      exit_code: child.exitCode,
      signal: child.signalCode ?? undefined,
    };
    if (this.#earlyDeaths > EARLY_DEATHS_MAX) {
      log.error(told, 'workers die again and again, giving up');
      this.#worstExit = 1;
      this.#end('SIGTERM');
      return;
    }
    const pauseMs = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.max(0, this.#earlyDeaths - 1));
    log.error({ ...told, pause_ms: pauseMs }, 'a worker has died, another takes its place');
    if (isCurrent) setTimeout(() => this.#isStopping || this.#spawn(place, false), pauseMs);
  }

  #end(signal: NodeJS.Signals): void {
    this.#isStopping = true;
    for (const { process: child } of this.#alive) child.kill(signal);
    if (this.#alive.size === 0) this.#gone.resolve(this.#worstExit);
  }

  #receive(worker: Worker, message: FromWorker): void {
    switch (message.kind) {
      case 'ready':
        worker.isReady = true;
        worker.onReady(message.url);
        this.#tellWatched();
        return;
      case 'retired':
        worker.onRetired();
        return;
      case 'answer':
        this.#questions.get(message.id)?.(worker, message.answer);
        return;
      case 'ask':
        void this.collect(message.question).then((answers) =>
          this.#send(worker, { kind: 'answers', id: message.id, answers }),
        );
        return;
      case 'drain':
        for (const other of this.#alive) this.#send(other, { kind: 'drain' });
        return;
      case 'watch':
        worker.isWatched = message.isWatched;
        this.#tellWatched();
        return;
      case 'records':
        for (const other of this.#alive) if (other !== worker && other.isWatched) this.#send(other, message);
    }
  }

  /** Records are sent only while somebody looks. */
  #tellWatched(): void {
    for (const worker of this.#alive) {
      const isWatched = [...this.#alive].some((other) => other !== worker && other.isWatched);
      this.#send(worker, { kind: 'watched', isWatched });
    }
  }

  #send(worker: Worker, message: ToWorker): void {
    // One that has just died will be told of by its exit.
    if (worker.process.exitCode === null && worker.process.signalCode === null && this.#alive.has(worker)) {
      try {
        worker.process.send(message);
      } catch {
        // Its end of the line is closed already.
      }
    }
  }
}
