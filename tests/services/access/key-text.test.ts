import { expect, test } from 'vitest';
import { isWellFormed, makeKey } from '../../../src/services/access/key-text.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

test('a key is mtl_, 32 random characters and 6 that check them', () => {
  const keys = Array.from({ length: 200 }, makeKey);
  expect(new Set(keys).size).toBe(200);
  for (const key of keys) {
    expect(key).toMatch(/^mtl_[0-9A-Za-z]{38}$/);
    expect(isWellFormed(key)).toBe(true);
  }
  expect(new Set(keys.join('').replaceAll('mtl_', '')).size).toBe(ALPHABET.length);
});

// The six characters are from another implementation: zlib.crc32 of Python.
test('the check is the CRC-32 of what is before it, in base62', () => {
  expect(isWellFormed(`mtl_${'0'.repeat(32)}3jrMtK`)).toBe(true);
});

test('one character that is another, two that changed places, one too many or too few: none is a key', () => {
  const key = makeKey();
  for (let at = 0; at < key.length; at += 1) {
    const other = ALPHABET.replace(key.charAt(at), '').charAt(at % 61);
    expect(isWellFormed(`${key.slice(0, at)}${other}${key.slice(at + 1)}`), `${at}`).toBe(false);
    if (key.charAt(at) !== key.charAt(at + 1) && at < key.length - 1) {
      const swapped = `${key.slice(0, at)}${key.charAt(at + 1)}${key.charAt(at)}${key.slice(at + 2)}`;
      expect(isWellFormed(swapped), `${at}`).toBe(false);
    }
  }
  for (const text of ['', 'mtl_', `${key}0`, key.slice(0, -1), ` ${key}`, `${key}\n`, key.toUpperCase()]) {
    expect(isWellFormed(text), JSON.stringify(text)).toBe(false);
  }
});
