import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { finished } from 'node:stream/promises';
import { CommandError } from './errors.ts';
import type { Io } from './io.ts';

export type Chunks = AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;

/**
 * Writes to a file or, without a path, to standard output, as fast as the other end takes it. A file that could not be
 * finished is removed: half of one looks whole.
 *
 * @throws CommandError when the file cannot be written
 */
export async function writeOut(path: string | undefined, chunks: Chunks, io: Io): Promise<void> {
  if (path !== undefined) {
    await writeFile(path, chunks);
    return;
  }
  for await (const chunk of chunks) {
    // A reader such as `head` that has had enough is no failure.
    if (!(await io.write(chunk))) return;
  }
}

async function writeFile(path: string, chunks: Chunks): Promise<void> {
  const file = createWriteStream(path);
  let isOpen = false;
  try {
    await once(file, 'open');
    isOpen = true;
    for await (const chunk of chunks) if (!file.write(chunk)) await once(file, 'drain');
    file.end();
    await finished(file);
  } catch (error) {
    file.destroy();
    if (isOpen) await removeFile(path);
    throw isFileError(error) ? new CommandError(`${path} cannot be written: ${error.message}`) : error;
  }
}

/** Files only: /dev/full is there for others too. */
async function removeFile(path: string): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isFile() === true) await rm(path, { force: true });
}

function isFileError(error: unknown): error is Error {
  return error instanceof Error && 'syscall' in error && 'errno' in error;
}
