/** Whose it is, and how much it is, in whatever unit. */
export type Waiting = Readonly<{ caller: string; size: number }>;

/**
 * A line in which nobody stands behind all that another caller asks for: callers take turns, and of one caller the
 * smallest goes first. Its places are bounded, and shared in the same way: when all are taken, the largest of the caller
 * who has most of them gives way to somebody who has fewer, or to something smaller of the same caller.
 */
export class FairQueue<T extends Waiting> {
  readonly #placesMax: number;
  readonly #onGivenUp: (one: T) => void;
  /** Of each caller by size; callers in the order in which it is their turn. */
  readonly #byCaller = new Map<string, T[]>();
  #length = 0;

  /** @param of.onGivenUp told of whatever was in line and has to give way */
  constructor(of: { placesMax: number; onGivenUp: (one: T) => void }) {
    this.#placesMax = of.placesMax;
    this.#onGivenUp = of.onGivenUp;
  }

  get length(): number {
    return this.#length;
  }

  /** @returns whether there was a place */
  add(one: T): boolean {
    if (this.#length >= this.#placesMax && !this.#makeRoomFor(one)) return false;
    const own = this.#byCaller.get(one.caller) ?? [];
    const place = own.findIndex(({ size }) => size > one.size);
    own.splice(place === -1 ? own.length : place, 0, one);
    this.#byCaller.set(one.caller, own);
    this.#length += 1;
    return true;
  }

  /** Takes the next one that is not larger; undefined when there is none. */
  take(sizeMax = Number.POSITIVE_INFINITY): T | undefined {
    for (const [caller, own] of this.#byCaller) {
      const [first] = own;
      if (first === undefined || first.size > sizeMax) continue;
      own.shift();
      this.#length -= 1;
      // It is the turn of the others now.
      this.#byCaller.delete(caller);
      if (own.length > 0) this.#byCaller.set(caller, own);
      return first;
    }
    return undefined;
  }

  /** Takes one out of line, wherever it stands; does nothing if it is not in it. */
  remove(one: T): void {
    const own = this.#byCaller.get(one.caller) ?? [];
    const place = own.indexOf(one);
    if (place === -1) return;
    own.splice(place, 1);
    this.#length -= 1;
    if (own.length === 0) this.#byCaller.delete(one.caller);
  }

  /** Empties the line. */
  takeAll(): T[] {
    const all = [...this.#byCaller.values()].flat();
    this.#byCaller.clear();
    this.#length = 0;
    return all;
  }

  #makeRoomFor({ caller, size }: T): boolean {
    const own = this.#byCaller.get(caller) ?? [];
    let most = own;
    for (const waiting of this.#byCaller.values()) if (waiting.length > most.length) most = waiting;
    const from = most.length > own.length + 1 ? most : own;
    const largest = from.at(-1);
    if (largest === undefined || (from === own && largest.size <= size)) return false;
    from.pop();
    this.#length -= 1;
    this.#onGivenUp(largest);
    return true;
  }
}
