import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Pairs of NNNN_name.up.sql and NNNN_name.down.sql. */
export const MIGRATIONS_DIR = fileURLToPath(new URL('../../../migrations/', import.meta.url));

export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

export type Migration = Readonly<{ name: string; up: string; down: string; digest: string }>;

/** The migrations this version comes with, in order. */
export async function knownMigrations(directory?: string): Promise<Readonly<{ name: string; digest: string }>[]> {
  return (await readMigrations(directory)).map(({ name, digest }) => ({ name, digest }));
}

/** Name of the newest migration this version comes with. */
export async function newestMigration(directory?: string): Promise<string> {
  const newest = (await migrationNames(directory)).at(-1);
  if (newest === undefined) throw new MigrationError('there are no migrations');
  return newest;
}

async function migrationNames(directory = MIGRATIONS_DIR): Promise<string[]> {
  const files = (await readdir(directory)).filter((file) => /^\d{4}_\w+\.up\.sql$/.test(file)).sort();
  return files.map((file) => file.slice(0, -'.up.sql'.length));
}

/** All of them, in order. @throws MigrationError when a file is missing or a number is taken twice */
export async function readMigrations(directory = MIGRATIONS_DIR): Promise<Migration[]> {
  const migrations = await Promise.all(
    (await migrationNames(directory)).map(async (name): Promise<Migration> => {
      const [up, down] = await Promise.all([readWay(directory, name, 'up'), readWay(directory, name, 'down')]);
      return { name, up, down, digest: createHash('sha256').update(up).digest('hex') };
    }),
  );
  const numbers = migrations.map(({ name }) => name.slice(0, 4));
  const twice = numbers.find((number, index) => numbers.indexOf(number) !== index);
  if (twice !== undefined) throw new MigrationError(`number ${twice} is taken twice`);
  return migrations;
}

async function readWay(directory: string, name: string, way: 'up' | 'down'): Promise<string> {
  try {
    return await readFile(`${directory}/${name}.${way}.sql`, 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    throw new MigrationError(`${name} has no way ${way === 'up' ? 'forward' : 'back'}: ${name}.${way}.sql is missing`);
  }
}

/** Where the one of this name or number stands. @throws MigrationError when there is none */
export function indexOf(migrations: readonly Migration[], name: string): number {
  const index = migrations.findIndex((one) => one.name === name || one.name.startsWith(`${name}_`));
  if (index === -1) throw new MigrationError(`there is no migration ${name}`);
  return index;
}
