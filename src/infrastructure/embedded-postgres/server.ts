import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, fstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerHome } from './account.ts';
import { type Address, chooseAddress, clearAddress, isSocket } from './address.ts';
import type { Binaries } from './binaries.ts';
import { serverSpawnOptions, spawnFailure } from './cluster.ts';
import { EmbeddedPostgresError, ServerStartError } from './errors.ts';
import { DataDirectoryInUseError } from './lock.ts';
import { logTail, openLog } from './log.ts';
import { fullCommandLine, isAlive, isKnown, readOrUndefined, workingDirectory } from './process.ts';
import { lastAddress, type ServerSettings, writeSettings } from './settings.ts';
import { startWatchdog } from './watchdog.ts';

const POLL_MS = 4;
/** Tells our servers from one that somebody started by hand on the same cluster. */
const CLUSTER_NAME = 'mattilda-billing';

const START_ATTEMPTS_MAX = 50;
const START_RETRY_DELAY_MS = 100;
/** Long enough to replay what the largest allowed write-ahead log holds, on a slow disk. */
const READY_TIMEOUT_MS = 300_000;
const SLOW_START_MS = 2_000;
const FAST_STOP_TIMEOUT_MS = 30_000;
const IMMEDIATE_STOP_TIMEOUT_MS = 10_000;
/** How long the watchdog of an owner that died is given, and how long after our own signal. */
const WATCHDOG_GRACE_MS = 5_000;

export type Server = Readonly<{
  pid: number;
  address: Address;
  /** Resolves to how the server ended, whoever ended it. */
  ended: Promise<string>;
  stop(): Promise<void>;
}>;

/** What a server says about itself in its pid file. */
export type RunningServer = Readonly<{ pid: number; address: Address; isReady: boolean; isOurs: boolean }>;

/** The server that runs on the cluster, whoever started it; a pid file left behind by a dead one is none. */
export function findRunningServer(home: ServerHome): RunningServer | undefined {
  const file = readPidFile(home);
  if (file === undefined || !isAlive(file.pid)) return undefined;
  const command = fullCommandLine(file.pid);
  if (command === undefined) return { ...file, isOurs: false };
  if (!/postgres/i.test(command)) return undefined;
  const isOurs = command.includes(CLUSTER_NAME);
  const directory = workingDirectory(file.pid);
  // PostgreSQL works in its cluster. Where that cannot be seen the path on the command line decides, which for a
  // server that somebody started by hand may have another spelling: then it counts as being here.
  const isHere = directory === undefined ? !isOurs || command.includes(home.cluster) : directory === home.cluster;
  return isHere ? { ...file, isOurs } : undefined;
}

/**
 * Waits until a server whose owner is gone has ended: its watchdog is stopping it, and if that was killed too, we do.
 * Also clears away a pid file whose pid now belongs to something else. The caller holds the lock.
 *
 * @throws DataDirectoryInUseError when the server is not one of ours
 */
export async function endAbandonedServer(home: ServerHome, pgCtl: string, dataDir: string): Promise<void> {
  const server = findRunningServer(home);
  if (server !== undefined) {
    const isGone = () => readPidFile(home)?.pid !== server.pid || !isAlive(server.pid);
    const isGoneByItself = await waitUntil(isGone, WATCHDOG_GRACE_MS);
    if (!isGoneByItself && server.isOurs) signalServer(server.pid, 'INT', pgCtl);
    const isEnded = isGoneByItself || (server.isOurs && (await waitUntil(isGone, FAST_STOP_TIMEOUT_MS)));
    if (!isEnded) throw new DataDirectoryInUseError(dataDir, server.pid);
  }
  const left = readPidFile(home);
  // PostgreSQL takes any process that has the pid for its server, even one that has ended and was not collected. That
  // nobody uses the shared memory of the cluster it checks in any case.
  if (left !== undefined && isKnown(left.pid)) rmSync(join(home.cluster, 'postmaster.pid'), { force: true });
}

/**
 * Starts a server on the cluster and resolves when it takes connections. The caller holds the lock.
 *
 * @param of.address where the server before listened, which was handed out: there or nowhere. Absent: a place is chosen
 * @throws ServerStartError
 */
export async function startServer(of: {
  home: ServerHome;
  binaries: Binaries;
  settings: ServerSettings;
  address?: Address;
  onProgress: (message: string) => void;
}): Promise<Server> {
  let last = lastAddress(of.home);
  for (let attempt = 1; ; attempt += 1) {
    const address = of.address ?? (await chooseAddress(of.home, of.settings.listen, last));
    writeSettings(of.home, address, of.settings);
    try {
      return await startOnce(of.home, of.binaries, address, of.onProgress);
    } catch (error) {
      const text = error instanceof ServerStartError ? error.said : '';
      const isPortTaken = /could not bind|could not create any TCP/i.test(text) && of.address === undefined;
      // Processes of a server that was killed may still be about to notice.
      const isMemoryInUse = /pre-existing shared memory block/.test(text);
      if (attempt >= START_ATTEMPTS_MAX || !(isPortTaken || isMemoryInUse)) throw error;
      last = isPortTaken && !isSocket(address) ? undefined : address;
      await sleep(START_RETRY_DELAY_MS);
    }
  }
}

async function startOnce(
  home: ServerHome,
  binaries: Binaries,
  address: Address,
  onProgress: (message: string) => void,
): Promise<Server> {
  clearAddress(address);
  const log = join(home.directory, 'postgres.log');
  const logFile = openLog(home, log);
  const logStart = fstatSync(logFile).size;
  const args = ['-D', home.cluster, '-c', `cluster_name=${CLUSTER_NAME}`];
  const child = spawn(binaries.postgres, args, { ...serverSpawnOptions(home), stdio: ['ignore', logFile, logFile] });
  closeSync(logFile);
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(`ended (${code ?? signal})`));
    child.once('error', (error) => resolve(spawnFailure(binaries.postgres, error).message));
  });
  const { pid } = child;
  if (pid === undefined) throw new EmbeddedPostgresError(await ended);
  const watchdog = startWatchdog({ pid, home, pgCtl: binaries.pgCtl, log });
  void ended.then(() => watchdog.release());
  const stop = async (): Promise<void> => await stopServer(child, pid, ended, binaries.pgCtl);
  const server = { pid, address, ended, stop };

  const failure = await Promise.race([ended, untilReady(home, pid, onProgress)]);
  if (failure === undefined) {
    // A process that has nothing else to do may end without stop(): the watchdog sees to the server.
    child.unref();
    return server;
  }
  await server.stop();
  throw new ServerStartError(failure, logTail(log, logStart), log);
}

/** Resolves to `undefined` when the server takes connections, else to why it does not. */
async function untilReady(
  home: ServerHome,
  pid: number,
  onProgress: (message: string) => void,
): Promise<string | undefined> {
  const isReady = () => {
    const file = readPidFile(home);
    return (file?.pid === pid && file.isReady) || !isAlive(pid);
  };
  if (!(await waitUntil(isReady, SLOW_START_MS))) {
    onProgress('PostgreSQL is still starting, perhaps it recovers from a crash');
    if (!(await waitUntil(isReady, READY_TIMEOUT_MS))) return `not ready within ${READY_TIMEOUT_MS / 1000} s`;
  }
  return readPidFile(home)?.pid === pid ? undefined : 'ended';
}

async function stopServer(child: ChildProcess, pid: number, ended: Promise<string>, pgCtl: string): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  for (const [signal, timeoutMs] of [
    ['INT', FAST_STOP_TIMEOUT_MS],
    ['QUIT', IMMEDIATE_STOP_TIMEOUT_MS],
  ] as const) {
    signalServer(pid, signal, pgCtl);
    const patience = new AbortController();
    const outcome = await Promise.race([
      ended,
      sleep(timeoutMs, undefined, { signal: patience.signal }).catch(() => undefined),
    ]);
    patience.abort();
    if (outcome !== undefined) return;
  }
  throw new EmbeddedPostgresError(`PostgreSQL (process ${pid}) does not stop.`);
}

/** INT is PostgreSQL's fast shutdown (open transactions are rolled back), QUIT the immediate one (recovery follows). */
function signalServer(pid: number, signal: 'INT' | 'QUIT', pgCtl: string): void {
  if (process.platform === 'win32') {
    spawnSync(pgCtl, ['kill', signal, String(pid)], { windowsHide: true });
    return;
  }
  try {
    process.kill(pid, `SIG${signal}`);
  } catch {
    // It ended on its own in the meantime, or is not ours to signal: the caller looks whether it is still there.
  }
}

function readPidFile(home: ServerHome): { pid: number; address: Address; isReady: boolean } | undefined {
  const lines = readOrUndefined(join(home.cluster, 'postmaster.pid'))?.split('\n');
  const pid = Number(lines?.[0]);
  // A file that is just being written has no pid yet. A negative one is a server in single-user mode.
  if (lines === undefined || !Number.isInteger(pid) || pid === 0) return undefined;
  const [, , , port, socketDirectory, host = ''] = lines;
  return {
    pid: Math.abs(pid),
    address: { host: socketDirectory || host, port: Number(port) },
    isReady: lines[7]?.trim() === 'ready',
  };
}

async function waitUntil(condition: () => boolean, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
