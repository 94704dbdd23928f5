import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import type { Config } from '../../config.ts';
import {
  type MigrateOptions,
  migrateDown,
  migrateForget,
  migrateUp,
  readDatabaseState,
} from '../../infrastructure/postgres/migrate.ts';
import { MIGRATIONS_DIR, newestMigration } from '../../infrastructure/postgres/migration-files.ts';
import { openDatabase } from '../database.ts';
import { CommandError, codeOf, explainMigration, UsageError } from '../errors.ts';
import type { Io } from '../io.ts';

export const MIGRATE_HELP = `Usage: mattilda-billing migrate [up | down | status | forget NAME | make NAME]

  up [--to NNNN]      apply what is missing (default), up to a number
  down [--steps N]    take back the newest N migrations (default 1)
  status              every migration and when it was applied; exit code 1 when one is missing or was edited
  forget NAME         strikes an applied migration off the list whose file is gone; what it did to the schema stays
  make NAME           a new pair of files with the next number, such as: make add_campus

Works on DATABASE_MIGRATION_URL, else DATABASE_URL, else the embedded database.`;

/** Names become file names and lines of `status`. */
const NAME_LENGTH_MAX = 40;

/** Resolves with the exit code: 1 from `status` when something is missing or edited. */
export async function migrate(args: string[], config: Config, io: Io, directory = MIGRATIONS_DIR): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { to: { type: 'string' }, steps: { type: 'string' } },
  });
  const [action = 'up', ...names] = positionals;
  if (action === 'make') return await make(names, io, directory);
  const known = action === 'up' || action === 'down' || action === 'status' || action === 'forget';
  const [forgotten = ''] = names;
  if (!known || names.length !== (action === 'forget' ? 1 : 0)) {
    io.say(`There is no ${['migrate', ...positionals].join(' ')}.\n\n${MIGRATE_HELP}`);
    return 2;
  }
  const steps = readSteps(values.steps);

  const database = await openDatabase(config, 'join', io.say);
  try {
    await database.look('owner');
    const options = { url: database.ownerUrl, directory, onProgress: io.say };
    if (action === 'status') return await status(options, io);
    if (action === 'forget') {
      await migrateForget({ ...options, name: forgotten });
      io.out(`Struck off: ${forgotten}. What it did to the schema stays.`);
    } else if (action === 'down') {
      const taken = await migrateDown({ ...options, steps });
      io.out(taken.length === 0 ? 'Nothing to take back.' : `Taken back: ${taken.join(', ')}`);
    } else {
      const applied = await migrateUp({ ...options, ...(values.to === undefined ? {} : { to: values.to }) });
      io.out(applied.length === 0 ? 'Nothing to do: the schema is current.' : `Applied: ${applied.join(', ')}`);
    }
    return 0;
  } catch (error) {
    throw explainMigration(error, database.ownerUrl);
  } finally {
    await database.stop();
  }
}

function readSteps(text = '1'): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new UsageError('--steps must be a whole number from 1');
}

async function status(options: MigrateOptions, io: Io): Promise<number> {
  const { migrations } = await readDatabaseState(options);
  for (const { name, appliedAt, drift } of migrations) {
    const state = appliedAt === null ? 'missing' : `applied ${appliedAt.toISOString()}`;
    io.out(`${name.padEnd(44)} ${state}${drift === null ? '' : `  (file ${drift})`}`);
  }
  return migrations.every(({ appliedAt, drift }) => appliedAt !== null && drift === null) ? 0 : 1;
}

/** Takes "add campus" and add-campus for add_campus. */
async function make(words: readonly string[], io: Io, directory: string): Promise<number> {
  const name = words
    .join('_')
    .toLowerCase()
    .replaceAll(/[\s-]+/g, '_');
  if (!/^[a-z][a-z0-9_]*$/.test(name) || name.length > NAME_LENGTH_MAX) {
    throw new UsageError(
      `Give the migration a name of letters, digits and _, at most ${NAME_LENGTH_MAX}: npm run migrate:make add_campus`,
    );
  }
  const number = String(Number((await newestMigration(directory)).slice(0, 4)) + 1).padStart(4, '0');
  const up = join(directory, `${number}_${name}.up.sql`);
  const down = join(directory, `${number}_${name}.down.sql`);
  try {
    await writeFile(up, `-- ${number}: what changes.\n--\n-- Why it changes.\n`, { flag: 'wx' });
    await writeFile(down, '-- Takes it back. Say what is lost.\n', { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    throw new CommandError(`There is a file ${number}_${name} already`);
  }
  io.out(`Made ${relative('', up)}\n     ${relative('', down)}\nThen: npm run migrate`);
  return 0;
}
