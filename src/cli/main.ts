#!/usr/bin/env node
import { ConfigError, readConfig } from '../config.ts';
import { CommandError } from './errors.ts';
import { MIGRATE_HELP } from './migrate.ts';

const HELP = `Usage: mattilda-billing COMMAND [options]

  serve      start the API (and, without DATABASE_URL, its embedded PostgreSQL)
  migrate    up, down, status, make: the database schema
  seed       sample schools, students, invoices and payments
  check      compare every stored figure with the rows it is made of

  --help     this text, or that of a command
  --version

Configuration comes from environment variables: see the README.`;

/** Runs one command. Resolves with the exit code: 0 done, 1 it found or met something, 2 it was asked wrongly. */
export async function run(argv: readonly string[]): Promise<number> {
  const [command, ...args] = argv;
  if (command === undefined || command === '--help' || command === 'help') {
    console.log(HELP);
    return command === undefined ? 2 : 0;
  }
  if (command === '--version') {
    console.log((await import('../compose.ts')).VERSION);
    return 0;
  }
  const wantsHelp = args.includes('--help');
  switch (command) {
    case 'serve':
      if (wantsHelp || args.length > 0)
        return help(
          'Usage: mattilda-billing serve\n\nTakes its configuration from the environment: HOST, PORT, DATABASE_URL, …',
          wantsHelp,
        );
      return await (await import('./serve.ts')).serve(readConfig());
    case 'migrate':
      if (wantsHelp) return help(MIGRATE_HELP, true);
      return await (await import('./migrate.ts')).migrate(args, readConfig());
    default:
      console.error(`There is no command ${command}.\n\n${HELP}`);
      return 2;
  }
}

function help(text: string, asked: boolean): number {
  (asked ? console.log : console.error)(text);
  return asked ? 0 : 2;
}

/** What a person can mend is shown without a stack; anything else is ours and shows where it came from. */
function report(error: unknown): number {
  const mendable =
    error instanceof CommandError ||
    error instanceof ConfigError ||
    isNamed(error, 'DataDirectoryInUseError') ||
    isNamed(error, 'MigrationError') ||
    isParseArgsError(error);
  console.error(mendable && error instanceof Error ? error.message : error);
  return error instanceof ConfigError || isParseArgsError(error) ? 2 : 1;
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

function isParseArgsError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

process.exitCode = await run(process.argv.slice(2)).catch(report);
