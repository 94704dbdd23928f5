import type { Config } from '../config.ts';
import {
  type EmbeddedPostgres,
  joinOrStartEmbeddedPostgres,
  startEmbeddedPostgres,
} from '../infrastructure/embedded-postgres.ts';
import { migrateUp, migrationStates } from '../infrastructure/migrate.ts';
import { readServerVersion } from '../infrastructure/server-version.ts';
import { CommandError, explainDatabase, explainDataDir } from './errors.ts';

/** The database a command works on. The only place that knows whether it is embedded. */
export type Database = Readonly<{
  /** For the role the product runs as. */
  url: string;
  /** For the role that owns the tables. */
  ownerUrl: string;
  /** Where the data is, for people; no password in it. */
  description: string;
  stop(): Promise<void>;
}>;

/** Older ones lack what the schema uses, or the care of their makers. */
const POSTGRES_VERSION_MIN = 16;

/**
 * Opens the configured database: the one of DATABASE_URL, else the embedded one.
 *
 * @param how `own` to be the process that runs the embedded server; `join` to use one that runs already, if it does
 * @param as the role whose address must answer
 * @throws CommandError that says in words what is wrong with the address, the server or the data directory
 */
export async function openDatabase(
  { databaseUrl, databaseMigrationUrl, dataDir }: Config,
  how: 'own' | 'join',
  as: 'app' | 'owner',
  onProgress: (message: string) => void,
): Promise<Database> {
  if (databaseUrl !== null) {
    if (as === 'owner' && databaseMigrationUrl !== null) await reach(databaseMigrationUrl, 'DATABASE_MIGRATION_URL');
    else await reach(databaseUrl, 'DATABASE_URL');
    return {
      url: databaseUrl,
      ownerUrl: databaseMigrationUrl ?? databaseUrl,
      description: withoutPassword(databaseUrl),
      stop: async () => undefined,
    };
  }
  const open = how === 'own' ? startEmbeddedPostgres : joinOrStartEmbeddedPostgres;
  try {
    return toDatabase(await open({ dataDir, onProgress }));
  } catch (error) {
    throw explainDataDir(error, dataDir);
  }
}

/** Looks first with the rights the server has, so that a role without DDL rights can serve a schema that is current. */
export async function migrateIfNeeded(database: Database, say: (message: string) => void): Promise<void> {
  if (await isCurrent(database)) return;
  if (database.ownerUrl !== database.url) await reach(database.ownerUrl, 'DATABASE_MIGRATION_URL');
  await migrateUp({ url: database.ownerUrl, onProgress: say });
}

/** Whether every migration of this version is applied. One that a newer version applied does no harm to this one. */
export async function isCurrent({ url }: Database): Promise<boolean> {
  const states = await migrationStates({ url });
  return states.every(({ appliedAt, drift }) => appliedAt !== null && drift !== 'changed');
}

/** Fails in words, here and now, instead of later with whatever the first statement runs into. */
async function reach(url: string, variable: string): Promise<void> {
  let version: number;
  try {
    version = await readServerVersion(url);
  } catch (error) {
    throw explainDatabase(error, url, variable);
  }
  if (version < POSTGRES_VERSION_MIN) {
    throw new CommandError(
      `${variable} leads to PostgreSQL ${version}; ${POSTGRES_VERSION_MIN} or newer is needed.\nUpgrade it, or unset ${variable} to use the embedded one.`,
    );
  }
}

function toDatabase(embedded: EmbeddedPostgres): Database {
  return {
    url: embedded.url,
    ownerUrl: embedded.ownerUrl,
    description: `${withoutPassword(embedded.url)} (embedded PostgreSQL, data in ${embedded.dataDir})`,
    stop: async () => await embedded.stop(),
  };
}

function withoutPassword(text: string): string {
  const url = new URL(text);
  url.password = '';
  url.search = '';
  return url.href;
}
