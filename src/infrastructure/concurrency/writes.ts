/** Without a write for so long nobody is likely to write in the next moment. Between two of one client there is less. */
const CALM_AFTER_MS = 100;

/** Knows whether somebody writes, so that whoever only reads can give way meanwhile, see `Semaphore`. */
export class Writes {
  #count = 0;
  #calm: NodeJS.Timeout | undefined;
  readonly #tellCalm: (() => void)[] = [];

  get areUnderWay(): boolean {
    return this.#count > 0;
  }

  /** @param tell called when nobody has written for a while: whoever has waited for that need wait no longer */
  onCalm(tell: () => void): void {
    this.#tellCalm.push(tell);
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#count += 1;
    try {
      return await work();
    } finally {
      this.#count -= 1;
      if (this.#count === 0) this.#waitForCalm();
    }
  }

  #waitForCalm(): void {
    this.#calm ??= setTimeout(() => {
      if (!this.areUnderWay) for (const tell of this.#tellCalm) tell();
    }, CALM_AFTER_MS).unref();
    this.#calm.refresh();
  }
}
