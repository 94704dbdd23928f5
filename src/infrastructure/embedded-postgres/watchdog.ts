import { type ChildProcess, spawn } from 'node:child_process';
import type { ServerHome } from './account.ts';
import { LOG_BYTES_MAX } from './log.ts';

const LOG_CHECK_INTERVAL_MS = 60_000;
const FAST_SHUTDOWN_WAIT_MS = 30_000;
const PID_FILE_WAIT_MS = 5_000;
const POLL_MS = 20;

/**
 * The program of the watchdog. It is text because it must run as plain JavaScript from the sources as well as from
 * the compiled files, and outlive the process that starts it.
 *
 * Its standard input is a pipe from our process that nobody else holds: however our process ends, the pipe closes.
 * It signals a server only while the pid file of the cluster names it, so a pid that was given to another program in
 * the meantime is safe. It also keeps the log file of the server short.
 */
const PROGRAM = String.raw`
'use strict';
const { spawnSync } = require('node:child_process');
const { copyFileSync, readFileSync, statSync, truncateSync } = require('node:fs');
const { pid, cluster, pgCtl, log, logBytesMax, logCheckIntervalMs, fastShutdownWaitMs, pidFileWaitMs, pollMs } = JSON.parse(process.argv[1]);
process.title = 'mattilda-billing: watchdog of PostgreSQL ' + pid;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

let isReleased = false;
process.stdin.on('data', () => { isReleased = true; });
process.stdin.on('error', () => {});
process.stdin.on('close', () => { if (isReleased) process.exit(0); else end(); });

setInterval(() => {
  try {
    if (statSync(log).size <= logBytesMax) return;
    copyFileSync(log, log + '.1');
    truncateSync(log);
  } catch {}
}, logCheckIntervalMs);

function isNamed() {
  try { return Number(readFileSync(cluster + '/postmaster.pid', 'utf8').split('\n')[0]) === pid; } catch { return false; }
}
function isAlive() {
  try { process.kill(pid, 0); return true; } catch { return false; }
}
function signal(name) {
  if (process.platform === 'win32') spawnSync(pgCtl, ['kill', name, String(pid)], { windowsHide: true });
  else try { process.kill(pid, 'SIG' + name); } catch {}
}
async function waitFor(condition, ms) {
  const deadline = Date.now() + ms;
  while (!condition() && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, pollMs));
}
async function end() {
  await waitFor(() => isNamed() || !isAlive(), pidFileWaitMs);
  for (const name of ['INT', 'QUIT']) {
    if (!isNamed()) break;
    signal(name);
    await waitFor(() => !isNamed() || !isAlive(), fastShutdownWaitMs);
  }
  process.exit(0);
}
`;

export type Watchdog = Readonly<{
  pid: number | undefined;
  /** Lets the watchdog go: the server has ended. */
  release(): void;
}>;

/** Starts the process that shuts the server down should ours end without doing so. */
export function startWatchdog(of: { pid: number; home: ServerHome; pgCtl: string; log: string }): Watchdog {
  const settings = {
    pid: of.pid,
    cluster: of.home.cluster,
    pgCtl: of.pgCtl,
    log: of.log,
    logBytesMax: LOG_BYTES_MAX,
    logCheckIntervalMs: LOG_CHECK_INTERVAL_MS,
    fastShutdownWaitMs: FAST_SHUTDOWN_WAIT_MS,
    pidFileWaitMs: PID_FILE_WAIT_MS,
    pollMs: POLL_MS,
  };
  const watchdog: ChildProcess = spawn(process.execPath, ['-e', PROGRAM, '--', JSON.stringify(settings)], {
    cwd: of.home.directory,
    // Nothing of ours: NODE_OPTIONS with a loader or an inspector would slow it down or stop it.
    env: {},
    // A session of its own: Ctrl-C in the terminal is for our process, which then stops in order.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    windowsHide: true,
  });
  watchdog.on('error', () => undefined);
  watchdog.stdin?.on('error', () => undefined);
  watchdog.unref();
  // The stream is a socket; held, it would keep a process alive that has nothing else to do.
  if (watchdog.stdin !== null && 'unref' in watchdog.stdin && typeof watchdog.stdin.unref === 'function') {
    watchdog.stdin.unref();
  }
  return { pid: watchdog.pid, release: () => watchdog.stdin?.end('released') };
}
