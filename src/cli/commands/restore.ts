import { parseArgs } from 'node:util';
import type { Config } from '../../config.ts';
import type { Head } from '../../infrastructure/postgres/backup/format.ts';
import { NEW_DATABASE, readHead, refuseFilled, restoreRows } from '../../infrastructure/postgres/backup/restore.ts';
import { migrateUp } from '../../infrastructure/postgres/migrate.ts';
import { knownMigrations } from '../../infrastructure/postgres/migration-files.ts';
import { type Database, openDatabase } from '../database.ts';
import { CommandError, explainLoss, explainMigration, UsageError } from '../errors.ts';
import type { Io } from '../io.ts';
import { withBar } from '../progress.ts';
import { rowsOf } from './backup.ts';
import { check } from './check.ts';

export const RESTORE_HELP = `Usage: mattilda-billing restore FILE

Fills an empty database with what mattilda-billing backup wrote, all of it or nothing: makes the schema the backup was
made of, fills it, applies the migrations that came later, and checks every stored figure (see check). New ids and
numbers go on after the old ones. A database with rows in it is refused: set DATA_DIR to a new directory, or
DATABASE_URL to a new database. A backup of a newer version is refused too.

Exit codes: 0 restored and nothing is wrong, 1 it failed or the check found something, 2 it was asked wrongly.
Works on DATABASE_MIGRATION_URL, else DATABASE_URL, else the embedded database.`;

/** Resolves with the exit code: 1 when the check finds anything. */
export async function restore(args: string[], config: Config, io: Io): Promise<number> {
  const { positionals } = parseArgs({ args, allowPositionals: true, options: {} });
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) throw new UsageError(`Name one file.\n\n${RESTORE_HELP}`);
  // What is wrong with the file is found out before there is a database.
  const head = await readHead(path);
  await refuseNewer(head);

  const database = await openDatabase(config, 'join', io.say);
  try {
    const isNew = await bringSchemaTo(head, database, io);
    const { ownerUrl: url } = database;
    const rows = await withBar(io, 'restoring', async (onProgress) => {
      return await restoreRows({ url, path, isNew, onProgress });
    });
    await migrateUp({ url, onProgress: io.say });
    io.out(`Restored ${rowsOf(rows)}, as they were at ${head.made_at}.`);
  } catch (error) {
    throw explainMigration(explainLoss(error, 'nothing was restored'), database.ownerUrl);
  } finally {
    await database.stop();
  }
  return await check([], config, io);
}

/** @throws CommandError when this version lacks, or has another form of, a migration that the backup was made after */
async function refuseNewer({ version, migrations }: Head): Promise<void> {
  const known = await knownMigrations();
  for (const [at, { name, digest }] of migrations.entries()) {
    const file = known[at];
    if (file === undefined || file.name !== name) {
      throw new CommandError(
        `This backup was made by another version (${version}), after the migration ${name}, which this one does not have.\n` +
          'Restore it with that version.',
      );
    }
    if (file.digest !== digest) {
      throw new CommandError(
        `The migration ${name} was edited since this backup was made; restore with the file as it was.`,
      );
    }
  }
}

/**
 * Gives an empty database the very schema that the backup was made of.
 *
 * @returns whether there was no schema before
 * @throws BackupError, before anything is changed, when there are rows
 */
async function bringSchemaTo({ migrations }: Head, database: Database, io: Io): Promise<boolean> {
  const { ownerUrl: url } = database;
  const states = (await database.look('owner')).migrations;
  const applied = states.filter(({ appliedAt }) => appliedAt !== null);
  if (applied.length > 0) await refuseFilled(url);
  if (applied.length > migrations.length) {
    // Nothing is taken back for this: a server may start to fill it at any moment.
    throw new CommandError(
      `This database has the schema of a later version than the backup. ${NEW_DATABASE}, and later migrations are applied to what is restored.`,
    );
  }
  const newest = migrations.at(-1)?.name;
  if (newest !== undefined) await migrateUp({ url, to: newest, onProgress: io.say });
  return applied.length === 0;
}
