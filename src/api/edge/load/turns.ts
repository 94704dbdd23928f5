/** What waits for its turn: reads of one row; lists, statements and reports; and what needs no key, or has none. */
export type Lane = 'rows' | 'lists' | 'others';

/** How long requests are begun in one turn of the event loop, if they are not first. */
const BUDGET_MS = 1;
/** As what a request counts at least: most of what it takes comes after it has begun. */
const REQUEST_MS_MIN = 0.15;
/** Of the time, so much may go to what needs no key, and so much of that at once. */
const OTHERS = { share: 0.2, atOnceMs: 20 };
/** Of the time while somebody pays, so much may go to all that is not first. */
const BESIDE_PAYMENTS = { share: 0.2, atOnceMs: 1 };

/** In the order in which they take turns. */
const LANES: readonly Lane[] = ['rows', 'lists', 'others'];

type Begin = () => void;

/**
 * Lets requests begin a few at a time, so that those which are first find the event loop free: between two turns of it
 * whatever has arrived meanwhile is looked at, and a payment among it begins at once. Without it a thousand clients that
 * ask without a pause make every turn as long as all they ask for takes.
 *
 * A process that is not busy begins everything at once. While somebody pays, the rest has a fifth of the time: turns that
 * are short would otherwise be many.
 */
export class Turns {
  readonly #isPaying: () => boolean;
  readonly #lanes: Readonly<Record<Lane, Begin[]>> = { rows: [], lists: [], others: [] };
  /** Whose turn it is, as a place in {@link LANES}. */
  #next = 0;
  /** Of this turn of the loop. */
  #spentMs = 0;
  readonly #others = new Allowance(OTHERS);
  readonly #besidePayments = new Allowance(BESIDE_PAYMENTS);
  #isTurnEnding = false;
  #wakeUp: NodeJS.Timeout | undefined;

  /** @param isPaying whether somebody waits for a payment, or another write */
  constructor(isPaying: () => boolean) {
    this.#isPaying = isPaying;
  }

  /** Begins it, now or in a later turn; within a lane first come, first served. */
  begin(lane: Lane, begin: Begin): void {
    if (this.#lanes[lane].length > 0 || !this.#mayBegin(lane)) this.#lanes[lane].push(begin);
    else this.#run(lane, begin);
    this.#endTurn();
  }

  /** Requests that have not begun. */
  waiting(lane: Lane): number {
    return this.#lanes[lane].length;
  }

  #mayBegin(lane: Lane): boolean {
    if (this.#spentMs >= BUDGET_MS || this.#hasToRest()) return false;
    return lane !== 'others' || this.#others.leftMs() > 0;
  }

  #hasToRest(): boolean {
    return this.#isPaying() && this.#besidePayments.leftMs() <= 0;
  }

  #run(lane: Lane, begin: Begin): void {
    const startedAt = performance.now();
    begin();
    const tookMs = Math.max(REQUEST_MS_MIN, performance.now() - startedAt);
    this.#spentMs += tookMs;
    if (lane === 'others') this.#others.take(tookMs);
    if (this.#isPaying()) this.#besidePayments.take(tookMs);
  }

  #endTurn(): void {
    if (this.#isTurnEnding) return;
    this.#isTurnEnding = true;
    setImmediate(() => {
      this.#isTurnEnding = false;
      this.#spentMs = 0;
      this.#beginWaiting();
    });
  }

  /** One of each lane, and again, until the turn is over or nobody may begin. */
  #beginWaiting(): void {
    for (let passed = 0; passed < LANES.length; ) {
      passed = this.#beginNext(LANES[this.#next] ?? 'rows') ? 0 : passed + 1;
      this.#next = (this.#next + 1) % LANES.length;
    }
    const { rows, lists, others } = this.#lanes;
    if (rows.length + lists.length + others.length === 0) return;
    // Not a turn after the other until they may: the processor is left to those who need it meanwhile.
    if (rows.length + lists.length === 0 || this.#hasToRest()) this.#wakeUp ??= this.#wakeUpLater();
    else this.#endTurn();
  }

  #beginNext(lane: Lane): boolean {
    if (!this.#mayBegin(lane)) return false;
    const begin = this.#lanes[lane].shift();
    if (begin === undefined) return false;
    this.#run(lane, begin);
    return true;
  }

  #wakeUpLater(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#wakeUp = undefined;
      this.#endTurn();
    }, 1);
  }
}

/** A share of the time, of which so much may be taken at once. */
class Allowance {
  readonly #share: number;
  readonly #atOnceMs: number;
  #leftMs: number;
  #at = performance.now();

  constructor({ share, atOnceMs }: { share: number; atOnceMs: number }) {
    this.#share = share;
    this.#atOnceMs = atOnceMs;
    this.#leftMs = atOnceMs;
  }

  leftMs(): number {
    const now = performance.now();
    this.#leftMs = Math.min(this.#atOnceMs, this.#leftMs + this.#share * (now - this.#at));
    this.#at = now;
    return this.#leftMs;
  }

  take(ms: number): void {
    this.#leftMs -= ms;
  }
}
