/** Knows whether somebody writes, so that whoever only reads can give way meanwhile, see `Semaphore`. */
export class Writes {
  #count = 0;

  get areUnderWay(): boolean {
    return this.#count > 0;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#count += 1;
    try {
      return await work();
    } finally {
      this.#count -= 1;
    }
  }
}
