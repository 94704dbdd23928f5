import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { prepareHome, type ServerHome } from './account.ts';
import { type Address, discardAddress, LISTEN_DEFAULT, type Listen } from './address.ts';
import { locateBinaries, type PostgresVersion } from './binaries.ts';
import {
  APP_ROLE,
  connectionUrl,
  initialise,
  isProvisioned,
  OWNER_ROLE,
  type Passwords,
  provision,
  readPasswords,
} from './cluster.ts';
import type { EmbeddedPostgresError } from './errors.ts';
import { acquireLock, DataDirectoryInUseError, lockHolder } from './lock.ts';
import { endAbandonedServer, findRunningServer, startServer } from './server.ts';
import { CONNECTIONS_MAX_DEFAULT } from './settings.ts';
import { supervise } from './supervisor.ts';

export { defaultDataDir } from './account.ts';
export { DataDirectoryInUseError };

const VERSION_DEFAULT: PostgresVersion = 18;
/** Covers the first start of somebody else, with initdb, on a slow disk. */
const JOIN_TIMEOUT_MS = 60_000;
const JOIN_POLL_MS = 25;

export type EmbeddedPostgres = Readonly<{
  /** postgresql:// URL of the run-time role `mattilda_app` (limited rights). */
  url: string;
  /** postgresql:// URL of the role `mattilda`, which owns the database and runs migrations. */
  ownerUrl: string;
  dataDir: string;
  /** Process id of the server as it was started; another one after a crash. */
  pid: number;
  /** false when another process of ours runs the server and we only joined it. */
  owned: boolean;
  /** Resolves, if ever, when the server ended and could not be started again for minutes. Never when joined. */
  failed: Promise<EmbeddedPostgresError>;
  /** Fast shutdown; resolves when the server is gone. Does nothing when joined. */
  stop(): Promise<void>;
}>;

export type EmbeddedPostgresOptions = Readonly<{
  /** Everything is kept in `<dataDir>/postgres-<version>`. */
  dataDir: string;
  /** Default true. With false a crash of the machine loses data: for servers that are thrown away. */
  durable?: boolean;
  version?: PostgresVersion;
  /** Default: a socket that other users cannot reach, where there are such. */
  listen?: Listen;
  /** Default 100. */
  maxConnections?: number;
  /** Further settings of postgresql.conf. */
  settings?: Readonly<Record<string, string>>;
  onProgress?: (message: string) => void;
}>;

/**
 * Starts PostgreSQL on a data directory, which is made on the first start. The server is started again should it be
 * killed, and ends with `stop()`, or shortly after this process however this process ends.
 *
 * @throws DataDirectoryInUseError when another process uses the directory
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { version = VERSION_DEFAULT, durable = true, onProgress = () => undefined } = options;
  const home = prepareHome(options.dataDir, version);
  const dataDir = realpathSync(resolve(options.dataDir));
  const lock = acquireLock(home.directory, dataDir);
  try {
    const binaries = locateBinaries(version, home);
    await endAbandonedServer(home, binaries.pgCtl, dataDir);
    if (!isProvisioned(home)) onProgress(`preparing a PostgreSQL ${version} database in ${home.directory}`);
    const passwords = await initialise({ home, binaries, version, isDurable: durable });
    const settings = {
      version,
      isDurable: durable,
      listen: options.listen ?? LISTEN_DEFAULT,
      connectionsMax: options.maxConnections ?? CONNECTIONS_MAX_DEFAULT,
      extra: options.settings ?? {},
    };
    const start = async (again?: { address: Address }) =>
      await startServer({ home, binaries, settings, onProgress, ...again });
    const server = await start();
    const { address } = server;
    try {
      if (!isProvisioned(home)) await provision(home, address, passwords);
    } catch (error) {
      await server.stop();
      throw error;
    }
    // The address was handed out: a server somewhere else would be of no use to anybody.
    const supervision = supervise({ first: server, restart: async () => await start({ address }), onProgress });
    const stop = once(async () => {
      await supervision.stop();
      discardAddress(address);
      lock.release();
    });
    return describe({ dataDir, passwords, address, pid: server.pid, owned: true, failed: supervision.failed, stop });
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * Joins the server that another process of ours runs on the data directory, else starts one. For commands that work
 * beside a running service or alone.
 *
 * @throws DataDirectoryInUseError when another process holds the directory and its server does not become ready
 */
export async function joinOrStartEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const deadline = Date.now() + JOIN_TIMEOUT_MS;
  const dataDir = resolve(options.dataDir);
  for (;;) {
    const home = prepareHome(dataDir, options.version ?? VERSION_DEFAULT);
    const joined = findJoinable(home, realpathSync(dataDir));
    if (joined !== undefined) return joined;
    try {
      return await startEmbeddedPostgres(options);
    } catch (error) {
      // Its owner may be starting or stopping it right now.
      if (!(error instanceof DataDirectoryInUseError) || Date.now() > deadline) throw error;
      await sleep(JOIN_POLL_MS);
    }
  }
}

function findJoinable(home: ServerHome, dataDir: string): EmbeddedPostgres | undefined {
  const server = findRunningServer(home);
  if (server === undefined || !server.isReady || !isProvisioned(home)) return undefined;
  // A server of ours without a living owner is being stopped by its watchdog.
  if (server.isOurs && lockHolder(home.directory) === undefined) return undefined;
  const passwords = readPasswords(home);
  if (passwords === undefined) return undefined;
  const { address, pid } = server;
  const failed = new Promise<EmbeddedPostgresError>(() => undefined);
  return describe({ dataDir, passwords, address, pid, owned: false, failed, stop: async () => undefined });
}

function describe(
  of: Omit<EmbeddedPostgres, 'url' | 'ownerUrl'> & Readonly<{ passwords: Passwords; address: Address }>,
): EmbeddedPostgres {
  const { passwords, address, ...rest } = of;
  return Object.freeze({
    url: connectionUrl(APP_ROLE, passwords.app, address),
    ownerUrl: connectionUrl(OWNER_ROLE, passwords.owner, address),
    ...rest,
  });
}

function once(action: () => Promise<void>): () => Promise<void> {
  let result: Promise<void> | undefined;
  return async () => {
    result ??= action();
    await result;
  };
}
