/** A worker's end of the line to its supervisor. When the supervisor is gone, the worker is told to end. */
import type { Host, HostMember } from './host.ts';
import type { FromWorker, Question, ToWorker } from './messages.ts';

/** The supervisor itself waits a second for the others. */
const ANSWERS_WITHIN_MS = 2_000;

export class WorkerLink implements Host {
  #member: HostMember | null = null;
  #nextId = 0;
  readonly #waiting = new Map<number, (answers: readonly unknown[]) => void>();

  /** @param onOrphaned called once, when the supervisor has ended */
  constructor(onOrphaned: () => void) {
    process.on('message', (message) => this.#receive(message as ToWorker));
    process.once('disconnect', onOrphaned);
  }

  join(member: HostMember): void {
    this.#member = member;
  }

  ready(url: string): void {
    this.#send({ kind: 'ready', url });
  }

  retired(): void {
    this.#send({ kind: 'retired' });
  }

  async collect(question: Question): Promise<readonly unknown[]> {
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<readonly unknown[]>();
    this.#waiting.set(id, resolve);
    const timer = setTimeout(() => resolve([this.#member?.answer(question)]), ANSWERS_WITHIN_MS);
    this.#send({ kind: 'ask', id, question });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  drain(): void {
    this.#send({ kind: 'drain' });
  }

  watch(isWatched: boolean): void {
    this.#send({ kind: 'watch', isWatched });
  }

  sendRecords(text: string, count: number): void {
    this.#send({ kind: 'records', text, count });
  }

  #receive(message: ToWorker): void {
    const member = this.#member;
    switch (message.kind) {
      case 'question':
        this.#send({ kind: 'answer', id: message.id, answer: member?.answer(message.question) ?? null });
        return;
      case 'answers':
        this.#waiting.get(message.id)?.(message.answers);
        return;
      case 'drain':
        member?.drain();
        return;
      case 'retire':
        member?.retire();
        return;
      case 'watched':
        member?.watched(message.isWatched);
        return;
      case 'records':
        member?.records(message.text, message.count);
    }
  }

  #send(message: FromWorker): void {
    // The line is gone when the supervisor is.
    if (process.connected) process.send?.(message);
  }
}
