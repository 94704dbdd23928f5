import { createHash, randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { UnavailableError } from '../../domain/shared/errors.ts';
import type { Passwords, PasswordTurn } from '../../domain/shared/ports.ts';
import { Semaphore } from '../concurrency/semaphore.ts';
import { PoolExhausted } from '../postgres/errors.ts';
import { COMMON_DIGEST_LENGTH, COMMON_PASSWORDS } from './common-passwords.ts';

/** As OWASP recommends where Argon2 is not to be had: 16 MB and some 150 ms each. */
const PARAMETERS = { N: 2 ** 14, r: 8, p: 5 };
/** Node refuses what needs more. This allows for twice the parameters, should they be raised. */
const MEMORY_MAX_BYTES = 64 * 1_024 * 1_024;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
/** Each takes a thread of the four that the whole process reads files and resolves names with. */
const AT_ONCE = 2;
/** Whoever waits longer is one of very many. */
const WAIT_MAX_MS = 10_000;

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** Passwords as scrypt: `scrypt$N$r$p$salt$hash`, so that other parameters can come later. */
export class ScryptPasswords implements Passwords {
  readonly #turns = new Semaphore({ places: AT_ONCE, waitMaxMs: WAIT_MAX_MS });

  isCommon(password: string): boolean {
    const digest = createHash('sha256').update(normal(password).toLowerCase()).digest('hex');
    return COMMON_PASSWORDS.has(digest.slice(0, COMMON_DIGEST_LENGTH));
  }

  async inTurn<T>(work: (turn: PasswordTurn) => Promise<T>): Promise<T> {
    try {
      return await this.#turns.run(async () => await work(TURN));
    } catch (error) {
      if (!(error instanceof PoolExhausted)) throw error;
      throw new UnavailableError('database_busy', 'Too many sign in at this moment; try again', error);
    }
  }
}

const TURN: PasswordTurn = { hash, matches };
/** Of no password: what is compared where there is no account, so that it takes as long as where there is one. */
const NOBODY = format(PARAMETERS, randomBytes(SALT_BYTES), randomBytes(KEY_BYTES));

async function hash(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return format(PARAMETERS, salt, await keyOf(password, salt, PARAMETERS, KEY_BYTES));
}

async function matches(password: string, stored: string | null): Promise<boolean> {
  const { salt, key, ...parameters } = parse(stored ?? NOBODY);
  const derived = await keyOf(password, salt, parameters, key.length);
  return timingSafeEqual(derived, key) && stored !== null;
}

async function keyOf(password: string, salt: Buffer, { N, r, p }: Parameters, bytes: number): Promise<Buffer> {
  return await derive(normal(password), salt, bytes, { N, r, p, maxmem: MEMORY_MAX_BYTES });
}

type Parameters = typeof PARAMETERS;

/** Keyboards write the same letter as one character or as two. */
function normal(password: string): string {
  return password.normalize('NFKC');
}

function format({ N, r, p }: Parameters, salt: Buffer, key: Buffer): string {
  return ['scrypt', N, r, p, salt.toString('base64'), key.toString('base64')].join('$');
}

function parse(hash: string): Parameters & { salt: Buffer; key: Buffer } {
  const [name, N, r, p, salt, key] = hash.split('$');
  if (name !== 'scrypt' || salt === undefined || key === undefined)
    throw new Error('a stored password is no scrypt hash');
  return {
    N: Number(N),
    r: Number(r),
    p: Number(p),
    salt: Buffer.from(salt, 'base64'),
    key: Buffer.from(key, 'base64'),
  };
}
