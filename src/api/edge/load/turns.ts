/** What waits for its turn: reads of one row; lists, statements and reports; and what needs no key, or has none. */
export type Lane = 'rows' | 'lists' | 'others';

/** How long requests are begun in one turn of the event loop, if they are not first. */
const BUDGET_MS = 1;
/** As what a request counts at least: part of what it takes comes after it has begun. */
const REQUEST_MS_MIN = 0.1;
/** Of the time, so much may go to what needs no key, and so much of that at once. */
const OTHERS_SHARE = 0.2;
const OTHERS_AT_ONCE_MS = 20;

/** In the order in which they take turns. */
const LANES: readonly Lane[] = ['rows', 'lists', 'others'];

type Begin = () => void;

/**
 * Lets requests begin a few at a time, so that those which are first find the event loop free: between two turns of it
 * whatever has arrived meanwhile is looked at, and a payment among it begins at once. Without it a thousand clients that
 * ask without a pause make every turn as long as all they ask for takes.
 *
 * A process that is not busy begins everything at once.
 */
export class Turns {
  readonly #lanes: Readonly<Record<Lane, Begin[]>> = { rows: [], lists: [], others: [] };
  /** Whose turn it is, as a place in {@link LANES}. */
  #next = 0;
  /** Of this turn of the loop. */
  #spentMs = 0;
  /** What others may still take, as of {@link #othersAt}. */
  #othersMs = OTHERS_AT_ONCE_MS;
  #othersAt = performance.now();
  #isTurnEnding = false;
  #wakeUp: NodeJS.Timeout | undefined;

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
    if (this.#spentMs >= BUDGET_MS) return false;
    return lane !== 'others' || this.#refillOthers() > 0;
  }

  #run(lane: Lane, begin: Begin): void {
    const startedAt = performance.now();
    begin();
    const tookMs = Math.max(REQUEST_MS_MIN, performance.now() - startedAt);
    this.#spentMs += tookMs;
    if (lane === 'others') this.#othersMs -= tookMs;
  }

  #refillOthers(): number {
    const now = performance.now();
    this.#othersMs = Math.min(OTHERS_AT_ONCE_MS, this.#othersMs + OTHERS_SHARE * (now - this.#othersAt));
    this.#othersAt = now;
    return this.#othersMs;
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
    if (rows.length + lists.length > 0) this.#endTurn();
    // Not a turn after the other until they may: the processor is left to those who need it meanwhile.
    else if (others.length > 0) this.#wakeUp ??= this.#wakeUpLater();
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
