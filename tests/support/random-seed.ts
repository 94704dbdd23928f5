import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of all that is made up at random: an integer of 32 bits. */
    seed: number;
  }
}

/**
 * What is made up at random is the same for the same files, so that a commit passes or fails and does not do both, and
 * differs from commit to commit. TEST_SEED names another: a number, or `random`. Without git it is random.
 */
export default function setup({ provide }: Pick<TestProject, 'provide'>): void {
  provide('seed', seedOf(process.env['TEST_SEED']));
}

/** @throws Error when the text is neither an integer nor `random` */
function seedOf(named: string | undefined): number {
  if (named === 'random') return anySeed();
  if (named !== undefined && named !== '') {
    const seed = Number(named);
    if (!Number.isInteger(seed)) throw new Error(`TEST_SEED is ${named}; it can be an integer or random.`);
    return seed | 0;
  }
  try {
    const tree = execFileSync('git', ['rev-parse', 'HEAD^{tree}'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return Number.parseInt(tree.slice(0, 8), 16) | 0;
  } catch {
    return anySeed();
  }
}

function anySeed(): number {
  return randomInt(-(2 ** 31), 2 ** 31);
}
