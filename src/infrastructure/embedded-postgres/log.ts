import { fchownSync, openSync, renameSync, statSync } from 'node:fs';
import type { ServerHome } from './account.ts';
import { readOrUndefined } from './process.ts';

/** Above this the log is put aside as `….1`: at a start, and by the watchdog while the server runs. */
export const LOG_BYTES_MAX = 5_000_000;
const LOG_TAIL_CHARACTERS = 2_000;

/** Opens the server's log for appending. */
export function openLog(home: ServerHome, log: string): number {
  const size = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LOG_BYTES_MAX) renameSync(log, `${log}.1`);
  const file = openSync(log, 'a', 0o600);
  // Root may run the server for once on a directory that is a normal user's, who must be able to go on with it.
  const { uid, gid } = statSync(home.directory);
  if (process.getuid?.() === 0) fchownSync(file, uid, gid);
  return file;
}

/** The end of what the log has gained since it was `start` bytes long. */
export function logTail(log: string, start: number): string {
  const added = Buffer.from(readOrUndefined(log) ?? '').subarray(start);
  return added.toString().slice(-LOG_TAIL_CHARACTERS).trim();
}
