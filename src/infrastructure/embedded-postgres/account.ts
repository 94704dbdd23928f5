import { chmodSync, mkdirSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { errorCode, readOrUndefined } from './process.ts';

/** The account the server runs as when we are root: PostgreSQL itself refuses to run as root. */
export type ServerAccount = Readonly<{ name: string; uid: number; gid: number }>;

/** `directory` holds everything of one major version, `cluster` is what PostgreSQL calls its data directory. */
export type ServerHome = Readonly<{ directory: string; cluster: string; account: ServerAccount | undefined }>;

/** Nobody can run the server on the data directory. The message says why, and what to do. */
export class ServerAccountError extends Error {
  override readonly name = 'ServerAccountError';
}

const ACCOUNT_NAMES = ['postgres', '_postgres', 'nobody'];
const READ_BIT = 4;
const ENTER_BIT = 1;

/** Where data lives when DATA_DIR is not set. `isRoot` is whether the process runs with user id 0. */
export function defaultDataDir(of: {
  env: Readonly<Record<string, string | undefined>>;
  platform: NodeJS.Platform;
  homedir: string;
  isRoot: boolean;
}): string {
  const name = 'mattilda-billing';
  if (of.platform === 'win32') {
    return join(of.env['LOCALAPPDATA'] || join(of.homedir, 'AppData', 'Local'), name);
  }
  if (of.isRoot) return join('/var/lib', name);
  if (of.platform === 'darwin') return join(of.homedir, 'Library', 'Application Support', name);
  return join(of.env['XDG_DATA_HOME'] || join(of.homedir, '.local', 'share'), name);
}

/**
 * Makes `<dataDir>/postgres-<version>` and settles who will run the server on it.
 *
 * @throws ServerAccountError when we are root and the server's account cannot enter the directory, or there is none
 */
export function prepareHome(dataDir: string, version: number): ServerHome {
  const isRoot = process.getuid?.() === 0;
  makeDirectories(resolve(dataDir), isRoot ? 0o755 : 0o700);
  // One spelling: the path is compared with the command line of running servers.
  const directory = join(realpathSync(dataDir), `postgres-${version}`);
  // Under root the directory stays root's and only the cluster is the account's, so that nothing root writes here
  // (log, lock, settings) can be redirected by that account.
  makeDirectories(directory, isRoot ? 0o711 : 0o700);
  const cluster = join(directory, 'data');
  const account = isRoot ? serverAccount(cluster) : undefined;
  if (account !== undefined) {
    letEnter(dirname(directory));
    assertCanEnter(directory, account);
  }
  return { directory, cluster, account };
}

/**
 * Lets other accounts pass through the data directory, and through root's own directories between it and the system's
 * temporary one (mktemp makes them closed): they may enter by name what they still cannot list. Nothing else is opened.
 */
function letEnter(dataDir: string): void {
  const temporary = realpathSync(tmpdir());
  for (let path = dataDir; path === dataDir || path.startsWith(join(temporary, '/')); path = dirname(path)) {
    const { uid, mode } = statSync(path);
    if (uid === 0 && (mode & ENTER_BIT) === 0) chmodSync(path, (mode & 0o7777) | ENTER_BIT);
  }
}

/** Whether `account` may read what lies at `path`, judged by the permission bits of it and of every parent. */
export function canRead(path: string, account: ServerAccount): boolean {
  const isDirectory = statSync(path).isDirectory();
  return (
    hasBits(path, account, isDirectory ? READ_BIT | ENTER_BIT : READ_BIT) && blockedAt(path, account) === undefined
  );
}

function assertCanEnter(directory: string, account: ServerAccount): void {
  const blocked = blockedAt(join(directory, 'data'), account);
  if (blocked === undefined) return;
  throw new ServerAccountError(
    `PostgreSQL does not run as root, so it runs as the account "${account.name}", which may not enter ${blocked}. ` +
      'Set DATA_DIR to a directory outside of it (such as /var/lib/mattilda-billing), or start as a normal user.',
  );
}

/** The outermost directory above `path` that `account` may not enter. */
function blockedAt(path: string, account: ServerAccount): string | undefined {
  const parent = dirname(path);
  if (parent === path) return undefined;
  return blockedAt(parent, account) ?? (hasBits(parent, account, ENTER_BIT) ? undefined : parent);
}

function hasBits(path: string, account: ServerAccount, bits: number): boolean {
  const { mode, uid, gid } = statSync(path);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  return ((mode >> shift) & bits) === bits;
}

function serverAccount(cluster: string): ServerAccount {
  const owner = statSync(cluster, { throwIfNoEntry: false });
  // A cluster belongs to whoever made it, and PostgreSQL insists on running as its owner.
  if (owner !== undefined && owner.uid !== 0) {
    return { name: `user ${owner.uid}`, uid: owner.uid, gid: owner.gid };
  }
  const lines = (readOrUndefined('/etc/passwd') ?? '').split('\n').map((line) => line.split(':'));
  for (const name of ACCOUNT_NAMES) {
    const [, , uid, gid] = lines.find((fields) => fields[0] === name) ?? [];
    // macOS writes the ids of `nobody` as -2.
    if (uid !== undefined && gid !== undefined) return { name, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 };
  }
  throw new ServerAccountError(
    `PostgreSQL does not run as root, and none of the accounts ${ACCOUNT_NAMES.join(', ')} exists to run it as. ` +
      'Start as a normal user, or set DATABASE_URL to a PostgreSQL of your own.',
  );
}

function makeDirectories(path: string, mode: number): void {
  const first = mkdirSync(path, { recursive: true, mode });
  if (first === undefined) return;
  // The process' umask may have taken bits away that the server's account needs.
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    try {
      chmodSync(made, mode);
    } catch (error) {
      if (errorCode(error) !== 'EPERM') throw error;
    }
  }
}
