import { type SpawnOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Client } from 'pg';
import type { ServerHome } from './account.ts';
import type { Address } from './address.ts';
import type { Binaries, PostgresVersion } from './binaries.ts';
import { EmbeddedPostgresError } from './errors.ts';
import { errorCode } from './process.ts';
import { SETTINGS_FILE } from './settings.ts';

export const DATABASE = 'mattilda';
export const OWNER_ROLE = 'mattilda';
export const APP_ROLE = 'mattilda_app';

const PASSWORD_BYTES = 24;
const CONNECT_TIMEOUT_MS = 30_000;

export type Passwords = Readonly<{ owner: string; app: string }>;

/** Whether the database and the roles exist, so that a client can connect. */
export function isProvisioned(home: ServerHome): boolean {
  return existsSync(join(home.directory, 'provisioned'));
}

/** The passwords of the two roles, or `undefined` before the first start. */
export function readPasswords(home: ServerHome): Passwords | undefined {
  const path = join(home.directory, 'passwords.json');
  try {
    const { owner, app }: Passwords = JSON.parse(readFileSync(path, 'utf8'));
    return { owner, app };
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    if (error instanceof SyntaxError) {
      throw new EmbeddedPostgresError(`${path} is damaged; restore that file from a copy.`, { cause: error });
    }
    if (errorCode(error) !== 'EACCES') throw error;
    throw new EmbeddedPostgresError(`${path} may not be read by this user; run as the user that started the server.`, {
      cause: error,
    });
  }
}

/**
 * Makes the cluster unless there is one. It is made beside its place and moved there when complete, so an `initdb`
 * that was killed leaves nothing that could be taken for a cluster. The caller holds the lock.
 */
export async function initialise(of: {
  home: ServerHome;
  binaries: Binaries;
  version: PostgresVersion;
  isDurable: boolean;
}): Promise<Passwords> {
  const { home, binaries, version, isDurable } = of;
  const existing = readPasswords(home);
  if (existsSync(home.cluster)) {
    if (existing !== undefined) return existing;
    throw new EmbeddedPostgresError(
      `${home.directory} holds a database cluster but no passwords.json to it; restore that file.`,
    );
  }
  const passwords = existing ?? { owner: randomPassword(), app: randomPassword() };
  writeNow(join(home.directory, 'passwords.json'), JSON.stringify(passwords));

  const stage = join(home.directory, 'initdb');
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { mode: 0o700 });
  // Passwords travel by file: other users can read a command line.
  const passwordFile = join(stage, 'password');
  writeFileSync(passwordFile, `${passwords.owner}\n`, { mode: 0o600 });
  if (home.account !== undefined) {
    for (const path of [stage, passwordFile]) chownSync(path, home.account.uid, home.account.gid);
  }
  const cluster = join(stage, 'data');
  await run(binaries.initdb, initdbArguments({ cluster, passwordFile, version, isDurable }), serverSpawnOptions(home));
  appendFileSync(join(cluster, 'postgresql.conf'), `\n# Written at every start.\ninclude '../${SETTINGS_FILE}'\n`);
  renameSync(cluster, home.cluster);
  rmSync(stage, { recursive: true, force: true });
  return passwords;
}

/** Creates the database and the roles on a running server. Done again from the start if it was cut short. */
export async function provision(home: ServerHome, { host, port }: Address, passwords: Passwords): Promise<void> {
  const client = new Client({
    host,
    port,
    user: OWNER_ROLE,
    password: passwords.owner,
    // Databases are copies of template1: what is granted in it holds in each of them.
    database: 'template1',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    // A failing statement would show up in the server's log with the password in it.
    options: '-c log_min_error_statement=panic',
  });
  await client.connect();
  try {
    const role = await client.query('select from pg_roles where rolname = $1', [APP_ROLE]);
    await client.query(
      `${role.rowCount === 0 ? 'create' : 'alter'} role ${APP_ROLE}
       login nosuperuser nocreatedb nocreaterole noreplication nobypassrls
       password ${client.escapeLiteral(passwords.app)}`,
    );
    await client.query(`grant usage on schema public to ${APP_ROLE}`);
    const database = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (database.rowCount === 0) await client.query(`create database ${DATABASE} owner ${OWNER_ROLE}`);
    await client.query(`grant connect on database ${DATABASE} to ${APP_ROLE}`);
    // The other databases of the cluster are none of that role's business, and room on the disk.
    await client.query('revoke connect, temporary on database postgres, template1 from public');
  } finally {
    await client.end();
  }
  writeNow(join(home.directory, 'provisioned'), '');
}

/** A URL as psql, libpq and pg take it: the directory of a socket stands, encoded, where a host would. */
export function connectionUrl(role: string, password: string, { host, port }: Address): string {
  return `postgresql://${role}:${password}@${encodeURIComponent(host)}:${port}/${DATABASE}`;
}

/** What every program of PostgreSQL is started with: the account, and nothing of our environment. */
export function serverSpawnOptions(home: ServerHome): SpawnOptions {
  return {
    cwd: home.directory,
    env: { LC_ALL: 'C', TZ: 'UTC' },
    windowsHide: true,
    // A session of its own: Ctrl-C in the terminal is for our process, which then stops in order.
    detached: true,
    ...(home.account && { uid: home.account.uid, gid: home.account.gid }),
  };
}

function initdbArguments(of: {
  cluster: string;
  passwordFile: string;
  version: PostgresVersion;
  isDurable: boolean;
}): string[] {
  // 16 has no locale provider of its own, and only Linux is sure to have C.UTF-8.
  const posixLocale = process.platform === 'linux' ? 'C.UTF-8' : 'C';
  const locale =
    of.version >= 17
      ? ['--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C']
      : ['--locale-provider=libc', `--locale=${posixLocale}`];
  return [
    ...['-D', of.cluster, '-U', OWNER_ROLE, `--pwfile=${of.passwordFile}`, '--auth=scram-sha-256'],
    ...['-E', 'UTF8', ...locale, '--data-checksums', '--no-instructions'],
    ...(of.isDurable ? [] : ['--no-sync']),
  ];
}

/** Runs a program to its end. @throws Error with what it printed when it fails */
async function run(program: string, args: string[], options: SpawnOptions): Promise<void> {
  const child = spawn(program, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += String(chunk)));
  const status = await new Promise<number | string | null>((resolve, reject) => {
    child.once('error', (error) => reject(spawnFailure(program, error)));
    child.once('close', (code, signal) => resolve(code ?? signal));
  });
  if (status !== 0) throw new EmbeddedPostgresError(`${program} failed (${status}):\n${output.trim()}`);
}

export function spawnFailure(program: string, error: unknown): Error {
  const hint =
    errorCode(error) === 'ENOENT' && existsSync(program)
      ? ' The program is there but not what it needs to run: it wants glibc, so Alpine Linux cannot run it.'
      : '';
  return new EmbeddedPostgresError(
    `${program} could not be started.${hint} Set DATABASE_URL to a PostgreSQL of your own to do without it.`,
    { cause: error },
  );
}

function randomPassword(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url');
}

/** Writes a file for our eyes only, and has it on the disk before it goes on. */
function writeNow(path: string, text: string): void {
  const draft = `${path}.draft`;
  const file = openSync(draft, 'w', 0o600);
  writeSync(file, text);
  fsyncSync(file);
  closeSync(file);
  renameSync(draft, path);
}
