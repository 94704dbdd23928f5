import { ConfigError, readConfig } from '../config.ts';
import { DomainError, UnavailableError } from '../domain/shared/errors.ts';
import { CommandError, UsageError } from './errors.ts';
import type { Io } from './io.ts';

export const HELP = `Usage: mattilda-billing COMMAND [options]

  serve      start the API (and, without DATABASE_URL, its embedded PostgreSQL)
  migrate    up, down, status, make: the database schema
  seed       sample schools, students, invoices and payments, families and a billing year
  statement  an account as JSON, CSV, XLSX or PDF
  export     lists, statements, ledgers and reports as CSV, XLSX or JSON lines
  import     students, families and opening balances from CSV files
  bill       all students of a school: what their plans say
  late-fees  what is added to what is not paid in time
  check      compare every stored figure with the rows it is made of
  backup     every row of one moment in a file
  restore    a backup into an empty database
  keys       add, list, revoke: keys of the API with schools and scopes of their own
  user       people who may sign in: add, invite, list, disable

  -h, --help     this text, or that of a command: mattilda-billing check --help
  -v, --version

Configuration comes from environment variables: see docs/configuration.md.
Exit codes: 0 done, 1 it failed or found something wrong, 2 it was asked wrongly.`;

type Command = Readonly<{ help: string; run(args: string[], io: Io): Promise<number> }>;

/** Loaded when asked for: the help of one command need not wait for the database driver of another. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => {
    const { SERVE_HELP, serve } = await import('./commands/serve.ts');
    return { help: SERVE_HELP, run: async (args, io) => await serve(args, readConfig(io.env), io) };
  },
  migrate: async () => {
    const { MIGRATE_HELP, migrate } = await import('./commands/migrate.ts');
    return { help: MIGRATE_HELP, run: async (args, io) => await migrate(args, readConfig(io.env), io) };
  },
  seed: async () => {
    const { SEED_HELP, seed } = await import('./commands/seed/seed.ts');
    return { help: SEED_HELP, run: async (args, io) => await seed(args, readConfig(io.env), io) };
  },
  statement: async () => {
    const { STATEMENT_HELP, statement } = await import('./commands/statement.ts');
    return { help: STATEMENT_HELP, run: async (args, io) => await statement(args, readConfig(io.env), io) };
  },
  export: async () => {
    const { EXPORT_HELP, exportRows } = await import('./commands/export.ts');
    return { help: EXPORT_HELP, run: async (args, io) => await exportRows(args, readConfig(io.env), io) };
  },
  import: async () => {
    const { IMPORT_HELP, importFile } = await import('./commands/import.ts');
    return { help: IMPORT_HELP, run: async (args, io) => await importFile(args, readConfig(io.env), io) };
  },
  bill: async () => {
    const { BILL_HELP, bill } = await import('./commands/bill.ts');
    return { help: BILL_HELP, run: async (args, io) => await bill('CHARGES', args, readConfig(io.env), io) };
  },
  'late-fees': async () => {
    const { LATE_FEES_HELP, bill } = await import('./commands/bill.ts');
    return { help: LATE_FEES_HELP, run: async (args, io) => await bill('LATE_FEES', args, readConfig(io.env), io) };
  },
  check: async () => {
    const { CHECK_HELP, check } = await import('./commands/check.ts');
    return { help: CHECK_HELP, run: async (args, io) => await check(args, readConfig(io.env), io) };
  },
  backup: async () => {
    const { BACKUP_HELP, backup } = await import('./commands/backup.ts');
    return { help: BACKUP_HELP, run: async (args, io) => await backup(args, readConfig(io.env), io) };
  },
  restore: async () => {
    const { RESTORE_HELP, restore } = await import('./commands/restore.ts');
    return { help: RESTORE_HELP, run: async (args, io) => await restore(args, readConfig(io.env), io) };
  },
  keys: async () => {
    const { KEYS_HELP, keys } = await import('./commands/keys.ts');
    return { help: KEYS_HELP, run: async (args, io) => await keys(args, readConfig(io.env), io) };
  },
  user: async () => {
    const { USER_HELP, user } = await import('./commands/user.ts');
    return { help: USER_HELP, run: async (args, io) => await user(args, readConfig(io.env), io) };
  },
};

/**
 * Runs one command. Never throws.
 *
 * @returns the exit code: 0 done, 1 it failed or found something wrong, 2 it was asked wrongly
 */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    return report(error, io);
  }
}

async function dispatch([name, ...args]: readonly string[], io: Io): Promise<number> {
  if (name === undefined) {
    io.say(HELP);
    return 2;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load !== undefined) return await runOrHelp(await load(), args, io);
  if (isHelp(name) || name === 'help') {
    const [about = ''] = args;
    io.out(Object.hasOwn(COMMANDS, about) ? ((await COMMANDS[about]?.())?.help ?? HELP) : HELP);
    return 0;
  }
  if (name === '--version' || name === '-v') {
    io.out((await import('../infrastructure/version.ts')).VERSION);
    return 0;
  }
  io.say(`There is no command ${name}.\n\n${HELP}`);
  return 2;
}

async function runOrHelp(command: Command, args: string[], io: Io): Promise<number> {
  if (!args.some(isHelp)) return await command.run(args, io);
  io.out(command.help);
  return 0;
}

function isHelp(argument: string): boolean {
  return argument === '--help' || argument === '-h';
}

/** What a person can mend is shown without a stack; anything else is ours and shows where it came from. */
function report(error: unknown, io: Io): number {
  const wrongly = error instanceof ConfigError || error instanceof UsageError || isParseArgsError(error);
  const mendable =
    wrongly ||
    error instanceof CommandError ||
    error instanceof DomainError ||
    error instanceof UnavailableError ||
    isNamed(error, 'DataDirectoryInUseError') ||
    isNamed(error, 'ServerAccountError') ||
    isNamed(error, 'EmbeddedPostgresError') ||
    isNamed(error, 'BackupError') ||
    isNamed(error, 'MigrationError');
  if (error instanceof Error) io.say(mendable ? error.message : (error.stack ?? error.message));
  else io.say(String(error));
  return wrongly ? 2 : 1;
}

/** By name: importing the classes would load the embedded database for every command. */
function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

function isParseArgsError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}
