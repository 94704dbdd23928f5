import { randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { BackupError } from './errors.ts';

/** Its owner alone: it holds everything. */
const MODE = 0o600;

/**
 * Writes a file under another name and gives it its own once it is complete and on the disk: under that name there is
 * ever only a whole file, the last or this one.
 *
 * @returns its size in bytes
 * @throws BackupError when it cannot be written
 */
export async function writeAtomically(
  path: string,
  fill: (append: (piece: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<number> {
  const draft = `${path}.${randomBytes(4).toString('hex')}.part`;
  let handle: FileHandle | undefined;
  try {
    const file = await open(draft, 'wx', MODE);
    handle = file;
    await fill(async (piece) => await file.writeFile(piece));
    await file.sync();
    const { size } = await file.stat();
    await file.close();
    await rename(draft, path);
    await syncDirectory(dirname(path));
    return size;
  } catch (error) {
    await handle?.close().catch(() => undefined);
    await rm(draft, { force: true });
    if (!(error instanceof Error && 'syscall' in error && 'path' in error) && !isNoRoom(error)) throw error;
    throw new BackupError(`${path} cannot be written: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
}

function isNoRoom(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

/** So that the new name is on the disk too. Windows knows no such thing. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
