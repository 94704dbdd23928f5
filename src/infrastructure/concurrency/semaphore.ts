import { PoolExhausted } from '../postgres/errors.ts';

type Waiting = { readonly enter: () => void };

/** Callers inside and in line, for each place, up to which others are let near: there is always work for a free place. */
const NEAR_PER_PLACE = 2;

/**
 * Lets a number of callers in at once; the others wait in line, first come, first served. Named after the walls that keep
 * a ship afloat when one part is full of water: work of one kind cannot take what another kind needs
 * (docs/decisions/0022).
 */
export class Semaphore {
  readonly #places: number;
  readonly #waitMaxMs: number;
  readonly #line: Waiting[] = [];
  /** In front of the line, see {@link near}. */
  readonly #outside: Waiting[] = [];
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
    else await this.#wait(this.#line);
    try {
      return await work();
    } finally {
      const next = this.#line.shift();
      // A place is handed on while it is still taken: nobody who comes in between can be faster.
      if (next === undefined) this.#inside -= 1;
      else next.enter();
      this.#letNear();
    }
  }

  /**
   * Waits until {@link run} would not wait for long: for callers who have much to prepare. What is made before a wait has
   * become old memory after it, and keeps what comes of it until a full collection (docs/decisions/0027). It is not a
   * place: who comes near need not run anything.
   *
   * @throws PoolExhausted as {@link run} does
   */
  async near(): Promise<void> {
    if (this.#outside.length > 0 || this.#room() <= 0) await this.#wait(this.#outside);
  }

  /** As of a pool: callers inside, and in line or in front of it. */
  gauge(): Readonly<{ total: number; idle: number; waiting: number; max: number }> {
    const waiting = this.#line.length + this.#outside.length;
    return { total: this.#inside, idle: 0, waiting, max: this.#places };
  }

  #room(): number {
    return NEAR_PER_PLACE * this.#places - this.#inside - this.#line.length;
  }

  #letNear(): void {
    const callers = this.#outside.splice(0, Math.max(0, this.#room()));
    for (const { enter } of callers) enter();
    // Whoever runs nothing will not make room for others by ending.
    if (callers.length > 0 && this.#outside.length > 0) setImmediate(() => this.#letNear());
  }

  async #wait(line: Waiting[]): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const giveUp = setTimeout(() => {
        line.splice(line.indexOf(waiting), 1);
        reject(new PoolExhausted(new Error(`no place was free within ${this.#waitMaxMs} ms`)));
      }, this.#waitMaxMs);
      const waiting: Waiting = {
        enter: () => {
          clearTimeout(giveUp);
          resolve();
        },
      };
      line.push(waiting);
    });
  }
}
