/** One at a time, in the order of asking. */
export class Gate {
  #last: Promise<unknown> = Promise.resolve();

  exclusive<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run);
    this.#last = result.catch(() => {});
    return result;
  }
}
