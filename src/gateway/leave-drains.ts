/** Counts the answers that are read to the end after their clients have left (LEAVE_DRAINS_MAX). */
export class LeaveDrains {
  #open = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** @returns whether there was room for one more, which must then `end` */
  begin(): boolean {
    if (this.#open >= this.#max) return false;
    this.#open++;
    return true;
  }

  end(): void {
    this.#open--;
  }
}
