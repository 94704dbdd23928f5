import { chmodSync, chownSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { ServerHome } from './account.ts';
import { EmbeddedPostgresError } from './errors.ts';

/**
 * Where a server listens, in the words of PostgreSQL's clients: `host` is 127.0.0.1, or the directory of its socket, and
 * then `port` only names the file.
 */
export type Address = Readonly<{ host: string; port: number }>;

/** `socket`: a file that only the server's account (and root) can reach. `tcp`: a port of 127.0.0.1, open to every user. */
export type Listen = 'socket' | 'tcp';

/** Windows has no sockets that a directory would guard. */
export const LISTEN_DEFAULT: Listen = process.platform === 'win32' ? 'tcp' : 'socket';

const LOOPBACK = '127.0.0.1';
/** Nobody else listens in the directory, so it is always the same. */
const SOCKET_PORT = 5432;
/** Of `sun_path`, in bytes and without its NUL: macOS has 103, Linux 107. */
const SOCKET_PATH_BYTES_MAX = 103;
const TEMPORARY_PREFIX = 'mattilda-billing-socket-';

export function isSocket({ host }: Address): boolean {
  return host.startsWith('/');
}

/**
 * A place to listen at. The caller holds the lock, and no server runs.
 *
 * @param last where the server before listened: its port is taken again if it can be had
 */
export async function chooseAddress(home: ServerHome, listen: Listen, last: Address | undefined): Promise<Address> {
  if (last !== undefined) discardAddress(last);
  if (listen === 'socket') return { host: makeSocketDirectory(home), port: SOCKET_PORT };
  return { host: LOOPBACK, port: await freePort(last === undefined || isSocket(last) ? undefined : last.port) };
}

/** Removes what a server that was killed left behind: PostgreSQL takes any process that has its old pid for a rival. */
export function clearAddress(address: Address): void {
  if (!isSocket(address)) return;
  const socket = socketPath(address.host);
  for (const path of [socket, `${socket}.lock`]) rmSync(path, { force: true });
}

/** Forgets a directory that was made outside of the data directory. */
export function discardAddress({ host }: Address): void {
  if (basename(host).startsWith(TEMPORARY_PREFIX)) rmSync(host, { recursive: true, force: true });
}

/**
 * A directory that only the server's account can enter. It lies in the data directory, or, where that path is too long
 * for a socket, in the system's temporary directory under a name that nobody knows beforehand.
 */
function makeSocketDirectory(home: ServerHome): string {
  const own = join(home.directory, 'socket');
  const temporary = join(realpathSync(tmpdir()), `${TEMPORARY_PREFIX}XXXXXX`);
  if (!fits(own) && !fits(temporary)) {
    throw new EmbeddedPostgresError(
      `The path ${home.directory} is too long for PostgreSQL's socket, and so is that of the temporary directory. ` +
        'Set DATA_DIR to a shorter one.',
    );
  }
  let directory = own;
  if (fits(own)) {
    rmSync(own, { recursive: true, force: true });
    mkdirSync(own, { mode: 0o700 });
  } else {
    directory = mkdtempSync(join(dirname(temporary), TEMPORARY_PREFIX));
  }
  chmodSync(directory, 0o700);
  if (home.account !== undefined) chownSync(directory, home.account.uid, home.account.gid);
  return directory;
}

function fits(directory: string): boolean {
  return Buffer.byteLength(socketPath(directory)) <= SOCKET_PATH_BYTES_MAX;
}

function socketPath(directory: string): string {
  return join(directory, `.s.PGSQL.${SOCKET_PORT}`);
}

/** A port of 127.0.0.1 that nobody listens on: the preferred one if it can be had. */
async function freePort(preferred: number | undefined): Promise<number> {
  return await new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => {
      if (preferred === undefined) reject(error);
      else resolve(freePort(undefined));
    });
    probe.listen({ host: LOOPBACK, port: preferred ?? 0, exclusive: true }, () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
