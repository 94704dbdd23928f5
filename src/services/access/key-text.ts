import { createHash, randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';

/*
 * What a key looks like: `mtl_`, 32 random characters, and 6 that are worked out from all before. So one that was mistyped
 * is refused without a look at the database, and secret scanners find those that somebody published.
 */

export const KEY_PREFIX = 'mtl_';
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 190 bits. */
const RANDOM_LENGTH = 32;
const CHECK_LENGTH = 6;
const GRAMMAR = new RegExp(`^(${KEY_PREFIX}[0-9A-Za-z]{${RANDOM_LENGTH}})([0-9A-Za-z]{${CHECK_LENGTH}})$`);
/** Of a key, so many characters tell it apart for people: the prefix and 24 of the 190 bits. */
const START_LENGTH = KEY_PREFIX.length + 4;

export function makeKey(): string {
  const random = Array.from({ length: RANDOM_LENGTH }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('');
  return `${KEY_PREFIX}${random}${checkOf(`${KEY_PREFIX}${random}`)}`;
}

/** Whether it may be a key: of the right form, and not mistyped. */
export function isWellFormed(text: string): boolean {
  const [, head = '', check] = GRAMMAR.exec(text) ?? [];
  return checkOf(head) === check;
}

/** SHA-256 in hex: what is kept of a key. */
export function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

export function startOf(key: string): string {
  return key.slice(0, START_LENGTH);
}

/** CRC-32 in base62, the most significant digit first. */
function checkOf(head: string): string {
  let rest = crc32(head);
  let digits = '';
  for (let place = 0; place < CHECK_LENGTH; place += 1) {
    digits = ALPHABET.charAt(rest % ALPHABET.length) + digits;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return digits;
}
