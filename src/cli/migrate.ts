import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Config } from '../config.ts';
import { MIGRATIONS_DIR, migrateDown, migrateUp, migrationStates, newestMigration } from '../infrastructure/migrate.ts';
import { openDatabase } from './database.ts';
import { CommandError } from './errors.ts';

export const MIGRATE_HELP = `Usage: mattilda-billing migrate [up | down | status | make NAME]

  up [--to NNNN]      apply what is missing (default), up to a number
  down [--steps N]    take back the newest N migrations (default 1)
  status              every migration and when it was applied
  make NAME           a new pair of empty files with the next number

Works on DATABASE_MIGRATION_URL, else DATABASE_URL, else the embedded database.`;

/** Resolves with the exit code: 1 from \`status\` when something is missing or edited. */
export async function migrate(args: string[], config: Config): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { to: { type: 'string' }, steps: { type: 'string' } },
  });
  const [action = 'up', name, ...rest] = positionals;
  if (rest.length > 0 || (name !== undefined && action !== 'make')) throw new CommandError(MIGRATE_HELP);
  if (action === 'make') return await make(name);

  const database = await openDatabase(config, 'join', progress);
  try {
    const url = database.ownerUrl;
    switch (action) {
      case 'up': {
        const { to } = values;
        const applied = await migrateUp({ url, onProgress: progress, ...(to === undefined ? {} : { to }) });
        console.log(applied.length === 0 ? 'Nothing to do: the schema is current.' : `Applied: ${applied.join(', ')}`);
        return 0;
      }
      case 'down': {
        const steps = Number(values.steps ?? 1);
        if (!Number.isInteger(steps) || steps < 1) throw new CommandError('--steps must be a whole number from 1');
        const taken = await migrateDown({ url, steps, onProgress: progress });
        console.log(taken.length === 0 ? 'Nothing to take back.' : `Taken back: ${taken.join(', ')}`);
        return 0;
      }
      case 'status':
        return await status(url);
      default:
        throw new CommandError(MIGRATE_HELP);
    }
  } finally {
    await database.stop();
  }
}

async function status(url: string): Promise<number> {
  const states = await migrationStates({ url });
  for (const { name, appliedAt, drift } of states) {
    const state = appliedAt === null ? 'missing' : `applied ${appliedAt.toISOString()}`;
    console.log(`${name.padEnd(44)} ${state}${drift === null ? '' : `  (file ${drift})`}`);
  }
  return states.every(({ appliedAt, drift }) => appliedAt !== null && drift === null) ? 0 : 1;
}

async function make(name: string | undefined): Promise<number> {
  if (name === undefined || !/^[a-z][a-z0-9_]*$/.test(name)) {
    throw new CommandError('Give the migration a name in snake_case: npm run migrate:make add_campus');
  }
  const number = String(Number((await newestMigration()).slice(0, 4)) + 1).padStart(4, '0');
  const path = `${MIGRATIONS_DIR}${number}_${name}`;
  await writeFile(`${path}.up.sql`, `-- ${number}: what changes.\n--\n-- Why it changes.\n`, { flag: 'wx' });
  await writeFile(`${path}.down.sql`, '-- Takes it back. Say what is lost.\n', { flag: 'wx' });
  console.log(`Made migrations/${number}_${name}.up.sql and .down.sql`);
  return 0;
}

function progress(message: string): void {
  process.stderr.write(`${message}\n`);
}
