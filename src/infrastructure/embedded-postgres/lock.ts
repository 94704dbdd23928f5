import { linkSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandLine, errorCode, isAlive, readOrUndefined, startMark } from './process.ts';

const LOCK_NAME = /^lock\.(\d+)$/;
const LOCK_ATTEMPTS_MAX = 100;

/** Another process works on the data directory. The message says which one, and what to do. */
export class DataDirectoryInUseError extends Error {
  override readonly name = 'DataDirectoryInUseError';
  /** The process that holds the directory. */
  readonly holderPid: number;

  constructor(directory: string, holderPid: number) {
    const command = holderPid === process.pid ? 'this very process' : commandLine(holderPid);
    const holder = `process ${holderPid}${command === undefined ? '' : ` (${command})`}`;
    super(
      `The data directory ${directory} is in use by ${holder}. ` +
        'Stop that process first, or set DATA_DIR to another directory, or set DATABASE_URL to a PostgreSQL of your own.',
    );
    this.holderPid = holderPid;
  }
}

export type DirectoryLock = Readonly<{ release(): void }>;

type Holder = Readonly<{ pid: number; mark: string | undefined }>;

/**
 * Takes the one lock of `directory` for this process, or takes it over from a process that is gone.
 *
 * Lock files are numbered and the highest number counts. It is never removed, only emptied: so of any number of
 * processes that find the same dead holder exactly one can create the next number, and one that was slow and created
 * a number that had already been cleared away sees a higher one and starts over. One plain lock file, deleted when
 * stale, would let the second of two finders delete the lock the first has just taken.
 *
 * @throws DataDirectoryInUseError when the holder is alive
 */
export function acquireLock(directory: string, dataDir: string): DirectoryLock {
  const draft = join(directory, `lock-draft.${process.pid}`);
  writeFileSync(draft, JSON.stringify({ pid: process.pid, mark: startMark(process.pid) }));
  try {
    for (let attempt = 0; attempt < LOCK_ATTEMPTS_MAX; attempt += 1) {
      const top = highestLock(directory);
      const holder = top === 0 ? undefined : lockHolder(directory);
      if (holder !== undefined) throw new DataDirectoryInUseError(dataDir, holder.pid);
      const path = join(directory, `lock.${top + 1}`);
      if (!linkNew(draft, path)) continue;
      if (highestLock(directory) === top + 1) {
        removeLocksBelow(directory, top + 1);
        return { release: () => truncateSync(path) };
      }
      rmSync(path, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
  throw new Error(`The lock of ${dataDir} changed hands ${LOCK_ATTEMPTS_MAX} times in a row; try again.`);
}

/** The living process that holds the lock of `directory`, if there is one. */
export function lockHolder(directory: string): Holder | undefined {
  const top = highestLock(directory);
  const text = top === 0 ? undefined : readOrUndefined(join(directory, `lock.${top}`));
  const { pid, mark } = parseHolder(text ?? '');
  if (pid === undefined) return undefined;
  const isSame = isAlive(pid) && (mark === undefined || mark === startMark(pid));
  return isSame ? { pid, mark } : undefined;
}

function parseHolder(text: string): Readonly<{ pid?: number; mark?: string }> {
  // An emptied file is a lock given back.
  if (text === '') return {};
  try {
    return JSON.parse(text);
  } catch {
    // A lock is complete before it has its name, so this one was damaged by a crash of the machine.
    return {};
  }
}

function highestLock(directory: string): number {
  let highest = 0;
  for (const name of readdirSync(directory)) {
    highest = Math.max(highest, Number(LOCK_NAME.exec(name)?.[1] ?? 0));
  }
  return highest;
}

/** Gives `draft` the name `path` unless that name is taken; a link shows the content and the name in one step. */
function linkNew(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function removeLocksBelow(directory: string, number: number): void {
  for (const name of readdirSync(directory)) {
    const found = LOCK_NAME.exec(name)?.[1];
    if (found !== undefined && Number(found) < number) rmSync(join(directory, name), { force: true });
  }
}
