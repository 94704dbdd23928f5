import { PoolExhausted } from '../postgres/errors.ts';

type Waiting<Request, Answer> = {
  readonly request: Request;
  readonly claims: readonly string[];
  readonly resolve: (answer: Answer | undefined) => void;
  readonly reject: (error: unknown) => void;
  /** Of those who could not go at once: a timer costs 5 µs, and most can. */
  giveUp: NodeJS.Timeout | undefined;
};

/** Batches that are at work at once: while PostgreSQL is at one, the next is put together. */
export const BATCHES_MAX = 2;
/** Of a batch. A statement for so many payments takes some 5 ms, for statements of students some 15. */
const SIZE_MAX = 50;

/**
 * Lets callers who come at about the same time be served together: whoever comes while others are at work waits for them,
 * and then goes with all who wait. A caller who comes alone does not wait. The busier it is the larger the batches, and the
 * less each costs (docs/decisions/0023).
 */
export class Batcher<Request, Answer> {
  readonly #serve: (requests: readonly Request[]) => Promise<readonly (Answer | undefined)[]>;
  readonly #claimsOf: (request: Request) => readonly string[];
  readonly #isFaultOfOne: (error: unknown) => boolean;
  readonly #waitMaxMs: number;
  #line: Waiting<Request, Answer>[] = [];
  /** What the batches at work have claimed. */
  readonly #claimed = new Set<string>();
  #batches = 0;
  /** Callers in the batches at work. */
  #served = 0;
  #isAboutToStart = false;

  /**
   * @param of.serve answers in the order of the requests, or fails for all of them
   * @param of.claimsOf names of what only one caller at a time may have; others who want it go later, and then find it free
   * @param of.isFaultOfOne whether all may have failed because of one of them, and nothing was done: then each half is
   *   served by itself, down to the one at fault
   */
  constructor(of: {
    serve: (requests: readonly Request[]) => Promise<readonly (Answer | undefined)[]>;
    claimsOf: (request: Request) => readonly string[];
    isFaultOfOne: (error: unknown) => boolean;
    waitMaxMs: number;
  }) {
    this.#serve = of.serve;
    this.#claimsOf = of.claimsOf;
    this.#isFaultOfOne = of.isFaultOfOne;
    this.#waitMaxMs = of.waitMaxMs;
  }

  /** @throws PoolExhausted when its turn did not come within the time a caller may wait; it was not served then */
  async run(request: Request): Promise<Answer | undefined> {
    return await new Promise<Answer | undefined>((resolve, reject) => {
      this.#line.push({ request, claims: this.#claimsOf(request), resolve, reject, giveUp: undefined });
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
    while (this.#batches < BATCHES_MAX) {
      const batch = this.#nextBatch();
      if (batch.length === 0) break;
      this.#batches += 1;
      this.#served += batch.length;
      void this.#work(batch);
    }
    for (const one of this.#line) one.giveUp ??= this.#giveUpLater(one);
  }

  #giveUpLater(waiting: Waiting<Request, Answer>): NodeJS.Timeout {
    return setTimeout(() => {
      this.#line = this.#line.filter((one) => one !== waiting);
      waiting.reject(new PoolExhausted(new Error(`no turn came within ${this.#waitMaxMs} ms`)));
    }, this.#waitMaxMs);
  }

  async #work(batch: readonly Waiting<Request, Answer>[]): Promise<void> {
    await this.#serveAll(batch);
    for (const { claims } of batch) for (const claim of claims) this.#claimed.delete(claim);
    this.#batches -= 1;
    this.#served -= batch.length;
    if (this.#line.length > 0) this.#startSoon();
  }

  /** Each is told as soon as it is known. In order, also where a batch is halved. */
  async #serveAll(batch: readonly Waiting<Request, Answer>[]): Promise<void> {
    try {
      const answers = await this.#serve(batch.map(({ request }) => request));
      for (const [index, { resolve }] of batch.entries()) resolve(answers[index]);
    } catch (error) {
      if (batch.length === 1 || !this.#isFaultOfOne(error)) {
        for (const { reject } of batch) reject(error);
        return;
      }
      const half = Math.ceil(batch.length / 2);
      await this.#serveAll(batch.slice(0, half));
      await this.#serveAll(batch.slice(half));
    }
  }

  /**
   * Takes from the line whoever can go now, first come, first served. Beside another batch no more than half of all, so
   * that both have as much to do.
   */
  #nextBatch(): Waiting<Request, Answer>[] {
    const share = Math.ceil((this.#line.length + this.#served) / BATCHES_MAX);
    const sizeMax = this.#batches === 0 ? SIZE_MAX : Math.min(SIZE_MAX, share);
    const batch: Waiting<Request, Answer>[] = [];
    const others: Waiting<Request, Answer>[] = [];
    for (const one of this.#line) {
      if (batch.length === sizeMax || one.claims.some((claim) => this.#claimed.has(claim))) {
        others.push(one);
        continue;
      }
      for (const claim of one.claims) this.#claimed.add(claim);
      clearTimeout(one.giveUp);
      batch.push(one);
    }
    this.#line = others;
    return batch;
  }
}
