import { PoolExhausted } from '../postgres/errors.ts';
import type { Writes } from './writes.ts';

type Waiting = { readonly enter: () => void };

/**
 * While somebody writes there are fewer places, and each is left empty for so many times as long as it was taken. What takes
 * longer than `heldMaxMs`, if that is given, waits for somebody itself (a table that is locked, say): its place is free then,
 * so that nobody waits for the same who does not need it.
 */
export type GivesWay = Readonly<{ to: Writes; places: number; heldMaxMs?: number }>;
const REST_FACTOR = 2;
const REST_MAX_MS = 200;

/**
 * Lets a number of callers in at once; the others wait in line, first come, first served. So work of one kind cannot take
 * what another kind needs (docs/decisions/0022). One that gives way takes a third of a processor for each of its places
 * while somebody writes, and on a busy machine less: unless its work takes so long that it would have to rest for long, too.
 */
export class Semaphore {
  readonly #places: number;
  readonly #waitMaxMs: number | null;
  readonly #givesWay: GivesWay | undefined;
  readonly #line: Waiting[] = [];
  #inside = 0;

  /**
   * @param of.places may be Infinity: then nobody ever waits, unless for those who write
   * @param of.waitMaxMs null: as long as it takes
   */
  constructor(of: { places: number; waitMaxMs: number | null; givesWay?: GivesWay }) {
    this.#places = of.places;
    this.#waitMaxMs = of.waitMaxMs;
    this.#givesWay = of.givesWay;
    // Nobody in line waits for the end of a long one inside when those who wrote have gone.
    of.givesWay?.to.onCalm(() => this.#letIn());
  }

  /**
   * Runs `work` as soon as there is a place, which is free again when it has ended (and has rested, if it gives way).
   *
   * @param left says that nobody wants it any more: whoever is in line then leaves it
   * @throws PoolExhausted when there was none within the time a caller may wait, or before it was left; nothing has run then
   */
  async run<T>(work: () => Promise<T>, left?: AbortSignal): Promise<T> {
    if (left?.aborted === true) throw new PoolExhausted(new Error('nobody waits for it'));
    // Those in line first: where nobody writes any more, there are places that nobody has left.
    this.#letIn();
    if (this.#hasPlace()) this.#inside += 1;
    else await this.#wait(left);
    const { to, heldMaxMs } = this.#givesWay ?? {};
    const begunAt = to === undefined ? 0 : performance.now();
    const leave = this.#leaveOnce();
    const held = heldMaxMs === undefined ? undefined : setTimeout(leave, heldMaxMs);
    try {
      return await work();
    } finally {
      clearTimeout(held);
      if (to?.areUnderWay !== true) leave();
      else setTimeout(leave, Math.min(REST_FACTOR * (performance.now() - begunAt), REST_MAX_MS));
    }
  }

  /** As of a pool: callers inside, and in line. */
  gauge(): Readonly<{ total: number; idle: number; waiting: number; max: number }> {
    return { total: this.#inside, idle: 0, waiting: this.#line.length, max: this.#places };
  }

  #hasPlace(): boolean {
    const { to, places = 0 } = this.#givesWay ?? {};
    return this.#inside < (to?.areUnderWay === true ? places : this.#places);
  }

  #leaveOnce(): () => void {
    let hasLeft = false;
    return () => {
      if (!hasLeft) this.#leave();
      hasLeft = true;
    };
  }

  /** Hands the place on while it is still taken, so that nobody who comes in between can be faster. */
  #leave(): void {
    this.#inside -= 1;
    this.#letIn();
  }

  #letIn(): void {
    while (this.#line.length > 0 && this.#hasPlace()) {
      this.#inside += 1;
      this.#line.shift()?.enter();
    }
  }

  async #wait(left: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const waitMaxMs = this.#waitMaxMs;
      const end = (): void => {
        clearTimeout(tooLong);
        left?.removeEventListener('abort', leave);
      };
      const giveUp = (why: string): void => {
        end();
        this.#line.splice(this.#line.indexOf(waiting), 1);
        reject(new PoolExhausted(new Error(why)));
      };
      const leave = (): void => giveUp('nobody waits for it any more');
      const tooLong =
        waitMaxMs === null
          ? undefined
          : setTimeout(() => giveUp(`no place was free within ${waitMaxMs} ms`), waitMaxMs);
      left?.addEventListener('abort', leave, { once: true });
      const waiting: Waiting = {
        enter: () => {
          end();
          resolve();
        },
      };
      this.#line.push(waiting);
    });
  }
}
