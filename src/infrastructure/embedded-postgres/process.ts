import { spawnSync } from 'node:child_process';
import { readFileSync, readlinkSync } from 'node:fs';

const COMMAND_LINE_LENGTH_MAX = 200;
const PS_TIMEOUT_MS = 5_000;

/** Whether a process runs under `pid`. One that has ended and only waits to be collected by its parent does not. */
export function isAlive(pid: number): boolean {
  return isKnown(pid) && linuxStat(pid)?.state !== 'Z';
}

/** Whether the system knows `pid`: also true of a process that has ended and that its parent never collects. */
export function isKnown(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/**
 * A mark that differs between two processes that had the same pid one after the other, also across a restart of the
 * machine or of a container. `undefined` where the system does not tell (only Linux does, cheaply).
 */
export function startMark(pid: number): string | undefined {
  const stat = linuxStat(pid);
  return stat === undefined ? undefined : `${readOrUndefined('/proc/sys/kernel/random/boot_id')?.trim()}/${stat.start}`;
}

/** The command line of a process, shortened for a message; `undefined` when there is none or we may not read it. */
export function commandLine(pid: number): string | undefined {
  const line = fullCommandLine(pid);
  if (line === undefined || line.length <= COMMAND_LINE_LENGTH_MAX) return line;
  return `${line.slice(0, COMMAND_LINE_LENGTH_MAX)}…`;
}

export function fullCommandLine(pid: number): string | undefined {
  if (process.platform === 'linux') return readOrUndefined(`/proc/${pid}/cmdline`)?.replaceAll('\0', ' ').trim();
  const [command, ...args] =
    process.platform === 'win32'
      ? ['tasklist', '/FI', `PID eq ${pid}`, '/FO', 'CSV', '/NH']
      : ['ps', '-ww', '-o', 'command=', '-p', String(pid)];
  const { stdout, status } = spawnSync(command, args, {
    encoding: 'utf8',
    timeout: PS_TIMEOUT_MS,
    windowsHide: true,
  });
  return status === 0 && stdout.trim() !== '' ? stdout.trim() : undefined;
}

/** The directory a process works in; `undefined` where the system does not tell. */
export function workingDirectory(pid: number): string | undefined {
  try {
    return process.platform === 'linux' ? readlinkSync(`/proc/${pid}/cwd`) : undefined;
  } catch {
    return undefined;
  }
}

/** The `code` of a system error (`ENOENT` …), if it has one. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

export function readOrUndefined(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = errorCode(error);
    // ESRCH: the process behind a /proc entry ended while it was read.
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'ENOTDIR') return undefined;
    if (path.startsWith('/proc/')) return undefined;
    throw error;
  }
}

function linuxStat(pid: number): { state: string; start: string } | undefined {
  if (process.platform !== 'linux') return undefined;
  const text = readOrUndefined(`/proc/${pid}/stat`);
  // The second field is the program's name in parentheses and may itself hold blanks and parentheses.
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, start] = [fields?.[0], fields?.[19]];
  return state === undefined || start === undefined ? undefined : { state, start };
}
