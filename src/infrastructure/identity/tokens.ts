import { createHash, randomBytes } from 'node:crypto';
import type { Tokens } from '../../domain/shared/ports.ts';

const TOKEN_BYTES = 32;

/** What opens a door: 32 random bytes as 43 characters that a URL and a cookie can hold. Only a digest of it is kept. */
export const randomTokens: Tokens = {
  make: () => randomBytes(TOKEN_BYTES).toString('base64url'),
  digest: (text) => createHash('sha256').update(text).digest(),
};
