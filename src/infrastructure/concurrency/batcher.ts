import { PoolExhausted } from '../postgres/errors.ts';

type Waiting<Ask, Answer> = {
  readonly ask: Ask;
  readonly claims: readonly string[];
  readonly resolve: (answer: Answer | undefined) => void;
  readonly reject: (error: unknown) => void;
  /** Of those who could not go at once: a timer costs 5 µs, and most can. */
  giveUp: NodeJS.Timeout | undefined;
};

/** Groups that are at work at once: while PostgreSQL is at one, the next is put together. */
export const BATCHES_MAX = 2;
/** Of a group. A statement for so many payments takes some 5 ms, for statements of students some 15. */
const SIZE_MAX = 50;

/**
 * Lets callers who come at about the same time be served together: whoever comes while others are at work waits for them,
 * and then goes with all who wait. A caller who comes alone does not wait. The busier it is the larger the groups, and the
 * less each costs (docs/decisions/0023).
 */
export class Batcher<Ask, Answer> {
  readonly #serve: (asks: readonly Ask[]) => Promise<readonly (Answer | undefined)[]>;
  readonly #claimsOf: (ask: Ask) => readonly string[];
  readonly #isFaultOfOne: (error: unknown) => boolean;
  readonly #waitMaxMs: number;
  #line: Waiting<Ask, Answer>[] = [];
  /** What the groups at work have claimed. */
  readonly #claimed = new Set<string>();
  #groups = 0;
  /** Callers in the groups at work. */
  #served = 0;
  #isAboutToStart = false;

  /**
   * @param of.serve answers in the order of those who ask, or fails for all of them
   * @param of.claimsOf names of what only one caller at a time may have; others who want it go later, and then find it free
   * @param of.isFaultOfOne whether all may have failed because of one of them, and nothing was done: then each half is
   *   served by itself, down to the one at fault
   */
  constructor(of: {
    serve: (asks: readonly Ask[]) => Promise<readonly (Answer | undefined)[]>;
    claimsOf: (ask: Ask) => readonly string[];
    isFaultOfOne: (error: unknown) => boolean;
    waitMaxMs: number;
  }) {
    this.#serve = of.serve;
    this.#claimsOf = of.claimsOf;
    this.#isFaultOfOne = of.isFaultOfOne;
    this.#waitMaxMs = of.waitMaxMs;
  }

  /** @throws PoolExhausted when its turn did not come within the time a caller may wait; it was not served then */
  async run(ask: Ask): Promise<Answer | undefined> {
    return await new Promise<Answer | undefined>((resolve, reject) => {
      this.#line.push({ ask, claims: this.#claimsOf(ask), resolve, reject, giveUp: undefined });
      this.#startSoon();
    });
  }

  /** Callers in line. */
  get waiting(): number {
    return this.#line.length;
  }

  /** Not at once: whoever comes in the same turn of the event loop comes along. */
  #startSoon(): void {
    if (this.#isAboutToStart) return;
    this.#isAboutToStart = true;
    setImmediate(() => {
      this.#isAboutToStart = false;
      this.#start();
    });
  }

  #start(): void {
    while (this.#groups < BATCHES_MAX) {
      const group = this.#nextGroup();
      if (group.length === 0) break;
      this.#groups += 1;
      this.#served += group.length;
      void this.#work(group);
    }
    for (const one of this.#line) one.giveUp ??= this.#giveUpLater(one);
  }

  #giveUpLater(waiting: Waiting<Ask, Answer>): NodeJS.Timeout {
    return setTimeout(() => {
      this.#line = this.#line.filter((one) => one !== waiting);
      waiting.reject(new PoolExhausted(new Error(`no turn came within ${this.#waitMaxMs} ms`)));
    }, this.#waitMaxMs);
  }

  async #work(group: readonly Waiting<Ask, Answer>[]): Promise<void> {
    await this.#serveAll(group);
    for (const { claims } of group) for (const claim of claims) this.#claimed.delete(claim);
    this.#groups -= 1;
    this.#served -= group.length;
    if (this.#line.length > 0) this.#startSoon();
  }

  /** Each is told as soon as it is known. In order, also where a group is halved. */
  async #serveAll(group: readonly Waiting<Ask, Answer>[]): Promise<void> {
    try {
      const answers = await this.#serve(group.map(({ ask }) => ask));
      for (const [index, { resolve }] of group.entries()) resolve(answers[index]);
    } catch (error) {
      if (group.length === 1 || !this.#isFaultOfOne(error)) {
        for (const { reject } of group) reject(error);
        return;
      }
      const half = Math.ceil(group.length / 2);
      await this.#serveAll(group.slice(0, half));
      await this.#serveAll(group.slice(half));
    }
  }

  /**
   * Takes from the line whoever can go now, first come, first served. Beside another group no more than half of all, so
   * that both have as much to do.
   */
  #nextGroup(): Waiting<Ask, Answer>[] {
    const share = Math.ceil((this.#line.length + this.#served) / BATCHES_MAX);
    const sizeMax = this.#groups === 0 ? SIZE_MAX : Math.min(SIZE_MAX, share);
    const group: Waiting<Ask, Answer>[] = [];
    const others: Waiting<Ask, Answer>[] = [];
    for (const one of this.#line) {
      if (group.length === sizeMax || one.claims.some((claim) => this.#claimed.has(claim))) {
        others.push(one);
        continue;
      }
      for (const claim of one.claims) this.#claimed.add(claim);
      clearTimeout(one.giveUp);
      group.push(one);
    }
    this.#line = others;
    return group;
  }
}
