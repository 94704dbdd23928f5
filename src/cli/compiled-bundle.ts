import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Script } from 'node:vm';

export type Bundle = typeof import('./bundle.ts');

/** Made from a file, in ASCII and without import(), whose value is the function that Node wraps a CommonJS module in. */
export type CompiledBundle = Readonly<{
  /** False when V8 had to compile it anew. */
  isCached: boolean;
  load(): Bundle;
  /** What V8 has compiled of it by now, behind its digest: damaged, it would end the process that takes it. */
  toCache(): Buffer;
}>;

const DIGEST_BYTES = 32;

function sealed(data: Buffer): Buffer {
  return Buffer.concat([createHash('sha256').update(data).digest(), data]);
}

/** Where the build keeps what V8 compiled of `file`. */
export function cacheOf(file: string): string {
  return `${file}.cache`;
}

/**
 * Compiles the bundle, or takes what was compiled when it was built. V8 takes that only from the same version of itself
 * with the same flags, and from a source of the same length: so the file is named by a hash of its contents.
 */
export function compileBundle(file: string): CompiledBundle {
  const cachedData = readCache(cacheOf(file));
  const script = new Script(readFileSync(file, 'latin1'), {
    filename: file,
    ...(cachedData && { cachedData }),
  });
  return {
    isCached: script.cachedDataRejected === false,
    load: () => {
      const module = { exports: {} as Bundle };
      script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
      return module.exports;
    },
    toCache: () => sealed(script.createCachedData()),
  };
}

/** Undefined if it cannot be read, or is damaged: then a start takes longer, and that is all. */
function readCache(file: string): Buffer | undefined {
  try {
    const kept = readFileSync(file);
    const data = kept.subarray(DIGEST_BYTES);
    return sealed(data).equals(kept) ? data : undefined;
  } catch {
    return undefined;
  }
}
