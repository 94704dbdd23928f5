import { PoolExhausted } from '../postgres/errors.ts';
import { Semaphore } from './semaphore.ts';

/**
 * Gives each caller so many places of something that all share, so that one alone cannot take it all. Who has none left
 * waits for one of their own, first come, first served, and for nobody else's.
 */
export class Shares {
  readonly #places: number;
  readonly #waitMaxMs: number;
  readonly #byCaller = new Map<string, Share>();

  constructor(of: { placesEach: number; waitMaxMs: number }) {
    this.#places = of.placesEach;
    this.#waitMaxMs = of.waitMaxMs;
  }

  /** Callers that have or want places. */
  get size(): number {
    return this.#byCaller.size;
  }

  /**
   * Takes a place of the caller's share.
   *
   * @returns what gives it back, to be called once; undefined when there was none within the time a caller may wait
   */
  async enter(caller: string): Promise<(() => void) | undefined> {
    const share = this.#byCaller.get(caller) ?? new Share(this.#places, this.#waitMaxMs);
    this.#byCaller.set(caller, share);
    share.callers += 1;
    const leave = (): void => {
      share.callers -= 1;
      if (share.callers === 0) this.#byCaller.delete(caller);
    };
    const giveBack = await share.enter();
    if (giveBack === undefined) {
      leave();
      return undefined;
    }
    return () => {
      giveBack();
      leave();
    };
  }
}

class Share {
  /** Inside or in line. */
  callers = 0;
  readonly #semaphore: Semaphore;

  constructor(places: number, waitMaxMs: number) {
    this.#semaphore = new Semaphore({ places, waitMaxMs });
  }

  async enter(): Promise<(() => void) | undefined> {
    return await new Promise((resolve, reject) => {
      this.#semaphore
        .run(async () => await new Promise<void>((giveBack) => resolve(giveBack)))
        .catch((error: unknown) => (error instanceof PoolExhausted ? resolve(undefined) : reject(error)));
    });
  }
}
