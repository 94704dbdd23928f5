import { currencyDecimals } from '../shared/iso.ts';
import { WHOLE } from './percent.ts';

/** The smallest amount of a currency that can be paid, in minor units: a hundred where the currency has no decimals. */
export function smallestUnit(currency: string): bigint {
  return currencyDecimals(currency) > 0 ? 1n : 100n;
}

/**
 * A fraction as minor units, to the nearest amount that can be paid, half away from zero.
 *
 * @param denominator above zero
 * @param unit see {@link smallestUnit}
 */
export function roundFraction(numerator: bigint, denominator: bigint, unit: bigint): bigint {
  const divisor = denominator * unit;
  const magnitude = numerator < 0n ? -numerator : numerator;
  const units = (2n * magnitude + divisor) / (2n * divisor);
  return (numerator < 0n ? -units : units) * unit;
}

/** So many basis points of an amount in minor units, rounded like {@link roundFraction}. */
export function partOf(minor: bigint, basisPoints: bigint, unit: bigint): bigint {
  return roundFraction(minor * basisPoints, WHOLE, unit);
}

/**
 * An amount in as many parts: each floored to what can be paid, and what is left over on the last.
 *
 * @param count of parts, at least one
 */
export function split(minor: bigint, count: number, unit: bigint): bigint[] {
  const part = (minor / (BigInt(count) * unit)) * unit;
  return Array.from({ length: count }, (_, at) => (at === count - 1 ? minor - part * BigInt(count - 1) : part));
}
