import { PoolExhausted } from './postgres-errors.ts';

type Waiting<Ask, Answer> = Readonly<{
  ask: Ask;
  claims: readonly string[];
  resolve: (answer: Answer | undefined) => void;
  reject: (error: unknown) => void;
  leave: () => void;
}>;

/** Groups that are at work at once: while PostgreSQL writes one down, the next is put together. */
const GROUPS_MAX = 2;
/** Of a group. A statement for so many takes some 5 ms. */
const SIZE_MAX = 50;

/**
 * Lets callers who come at about the same time be served together: whoever comes while others are at work waits for them,
 * and then goes with all who wait. A caller who comes alone does not wait. The busier it is the larger the groups, and the
 * less each costs (docs/decisions/0023).
 */
export class Grouping<Ask, Answer> {
  readonly #serve: (asks: readonly Ask[]) => Promise<readonly (Answer | undefined)[]>;
  readonly #claimsOf: (ask: Ask) => readonly string[];
  readonly #waitMaxMs: number;
  #line: Waiting<Ask, Answer>[] = [];
  /** What the groups at work have claimed. */
  readonly #claimed = new Set<string>();
  #groups = 0;
  #isAboutToStart = false;

  /**
   * @param of.serve answers in the order of those who ask, or fails for all of them
   * @param of.claimsOf names of what only one caller at a time may have; others who want it go later, and then find it free
   */
  constructor(of: {
    serve: (asks: readonly Ask[]) => Promise<readonly (Answer | undefined)[]>;
    claimsOf: (ask: Ask) => readonly string[];
    waitMaxMs: number;
  }) {
    this.#serve = of.serve;
    this.#claimsOf = of.claimsOf;
    this.#waitMaxMs = of.waitMaxMs;
  }

  /** @throws PoolExhausted when its turn did not come within the time a caller may wait; it was not served then */
  async run(ask: Ask): Promise<Answer | undefined> {
    return await new Promise<Answer | undefined>((resolve, reject) => {
      const giveUp = setTimeout(() => {
        this.#line = this.#line.filter((one) => one !== waiting);
        reject(new PoolExhausted(new Error(`no turn came within ${this.#waitMaxMs} ms`)));
      }, this.#waitMaxMs);
      const waiting: Waiting<Ask, Answer> = {
        ask,
        claims: this.#claimsOf(ask),
        resolve,
        reject,
        leave: () => clearTimeout(giveUp),
      };
      this.#line.push(waiting);
      this.#startSoon();
    });
  }

  /** As of a pool: groups at work, and callers in line. */
  gauge(): Readonly<{ total: number; idle: number; waiting: number; max: number }> {
    return { total: this.#groups, idle: 0, waiting: this.#line.length, max: GROUPS_MAX };
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
    while (this.#groups < GROUPS_MAX) {
      const group = this.#nextGroup();
      if (group.length === 0) return;
      this.#groups += 1;
      void this.#work(group);
    }
  }

  async #work(group: readonly Waiting<Ask, Answer>[]): Promise<void> {
    try {
      const answers = await this.#serve(group.map(({ ask }) => ask));
      for (const [index, { resolve }] of group.entries()) resolve(answers[index]);
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
    for (const { claims } of group) for (const claim of claims) this.#claimed.delete(claim);
    this.#groups -= 1;
    this.#startSoon();
  }

  /** Takes from the line whoever can go now, first come, first served. */
  #nextGroup(): Waiting<Ask, Answer>[] {
    const group: Waiting<Ask, Answer>[] = [];
    const others: Waiting<Ask, Answer>[] = [];
    for (const one of this.#line) {
      if (group.length === SIZE_MAX || one.claims.some((claim) => this.#claimed.has(claim))) {
        others.push(one);
        continue;
      }
      for (const claim of one.claims) this.#claimed.add(claim);
      one.leave();
      group.push(one);
    }
    this.#line = others;
    return group;
  }
}
