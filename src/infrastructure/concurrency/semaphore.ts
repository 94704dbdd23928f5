import { PoolExhausted } from '../postgres/errors.ts';

type Waiting = { readonly enter: () => void };

/**
 * Lets a number of callers in at once; the others wait in line, first come, first served. Named after the walls that keep
 * a ship afloat when one part is full of water: work of one kind cannot take what another kind needs
 * (docs/decisions/0022).
 */
export class Semaphore {
  readonly #places: number;
  readonly #waitMaxMs: number;
  readonly #line: Waiting[] = [];
  #inside = 0;

  /** @param of.places may be Infinity: then nobody ever waits */
  constructor(of: { places: number; waitMaxMs: number }) {
    this.#places = of.places;
    this.#waitMaxMs = of.waitMaxMs;
  }

  /**
   * Runs `work` as soon as there is a place, which is free again when it has ended.
   *
   * @throws PoolExhausted when there was none within the time a caller may wait; nothing has run then
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside < this.#places) this.#inside += 1;
    else await this.#wait();
    try {
      return await work();
    } finally {
      const next = this.#line.shift();
      // A place is handed on while it is still taken: nobody who comes in between can be faster.
      if (next === undefined) this.#inside -= 1;
      else next.enter();
    }
  }

  /** As of a pool: callers inside, and in line. */
  gauge(): Readonly<{ total: number; idle: number; waiting: number; max: number }> {
    return { total: this.#inside, idle: 0, waiting: this.#line.length, max: this.#places };
  }

  async #wait(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const giveUp = setTimeout(() => {
        this.#line.splice(this.#line.indexOf(waiting), 1);
        reject(new PoolExhausted(new Error(`no place was free within ${this.#waitMaxMs} ms`)));
      }, this.#waitMaxMs);
      const waiting: Waiting = {
        enter: () => {
          clearTimeout(giveUp);
          resolve();
        },
      };
      this.#line.push(waiting);
    });
  }
}
