import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the program is built, if a test asks for it. */
    build: string;
  }
}

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
/** What the program reads beside itself. */
const BESIDE = ['package.json', 'node_modules', 'migrations', 'docs'];
const BUILD_MAX_MS = 60_000;
const POLL_MS = 20;

/** Runs once before all test files: a place outside the project, where nothing that others run is replaced. */
export default function setup({ provide }: Pick<TestProject, 'provide'>): () => void {
  const directory = mkdtempSync(join(tmpdir(), 'mattilda-build-'));
  provide('build', directory);
  return () => rmSync(directory, { recursive: true, force: true });
}

/**
 * The program as `npm run build` makes it, made once for all processes of a run of the tests: each starts with a fifth of the
 * work that it takes from its sources.
 *
 * @returns the path of its entry
 * @throws Error when it does not compile
 */
export async function builtProgram(): Promise<string> {
  const directory = inject('build');
  const [making, made] = [join(directory, 'making'), join(directory, 'dist')];
  if (!isMine(making)) {
    for (let waitedMs = 0; !existsSync(made); waitedMs += POLL_MS) {
      if (waitedMs > BUILD_MAX_MS) throw new Error('the program was not built');
      await setTimeout(POLL_MS);
    }
  } else {
    for (const name of BESIDE) symlinkSync(join(PROJECT, name), join(directory, name));
    // Whether types are right, others ask.
    const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc');
    const options = ['--noCheck', '--project', join(PROJECT, 'tsconfig.build.json'), '--outDir', join(making, 'dist')];
    await promisify(execFile)(process.execPath, [tsc, ...options]);
    renameSync(join(making, 'dist'), made);
  }
  return join(made, 'main.js');
}

/** Whether nobody has begun to make it. */
function isMine(directory: string): boolean {
  try {
    mkdirSync(directory);
    return true;
  } catch {
    return false;
  }
}
