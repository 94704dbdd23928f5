/** Arithmetic of the books that stand beside the product: minor units, and none of the product's own code. */

/** An instant in the school's noon. The school lies in a zone without daylight saving time, six hours behind UTC. */
export function noon(day: string): string {
  return `${day}T18:00:00Z`;
}

/** Hundredths of a percent of an amount, half away from zero. Nothing here is below zero. */
export function percentOf(amount: bigint, basisPoints: bigint): bigint {
  return (2n * amount * basisPoints + 10_000n) / 20_000n;
}

/** part / whole of an amount, half away from zero. */
export function shareOf(amount: bigint, part: bigint, whole: bigint): bigint {
  return (2n * amount * part + whole) / (2n * whole);
}

export function sumOf<T>(list: Iterable<T>, amount: (one: T) => bigint): bigint {
  let sum = 0n;
  for (const one of list) sum += amount(one);
  return sum;
}

export function least(...amounts: bigint[]): bigint {
  return amounts.reduce((a, b) => (a < b ? a : b));
}

export function most(...amounts: bigint[]): bigint {
  return amounts.reduce((a, b) => (a > b ? a : b));
}

/** The last of some days, YYYY-MM-DD. */
export function last(...days: (string | null | undefined)[]): string {
  return days.reduce<string>((a, b) => (b != null && b > a ? b : a), '');
}

export function dayNumber(day: string): number {
  return Date.parse(`${day}T00:00:00Z`) / 86_400_000;
}

export function dayAfter(day: string, days = 1): string {
  return new Date((dayNumber(day) + days) * 86_400_000).toISOString().slice(0, 10);
}

export function lastOfMonth(month: string): string {
  const [year = 0, number = 0] = month.split('-').map(Number);
  return new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10);
}

/** 2026-09, 2026-10 …: the months of the school's year. */
export function monthAt(at: number): string {
  return new Date(Date.UTC(2026, 8 + at, 1)).toISOString().slice(0, 7);
}

/** Decimal text with two places. */
export function text(amount: bigint): string {
  const digits = String(amount < 0n ? -amount : amount).padStart(3, '0');
  return `${amount < 0n ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** A stream of numbers that is the same for a seed: mulberry32. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  /** A whole number, both ends included. */
  from(first: number, end: number): number {
    return first + Math.floor(this.next() * (end - first + 1));
  }

  of<T>(list: readonly T[]): T {
    const one = list[this.from(0, list.length - 1)];
    if (one === undefined) throw new Error('nothing to choose from');
    return one;
  }

  /** A part of an amount: at least one minor unit of it. */
  part(amount: bigint): bigint {
    return most(1n, (amount * BigInt(this.from(10, 95))) / 100n);
  }
}
