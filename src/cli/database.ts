import type { Config } from '../config.ts';
import {
  type EmbeddedPostgres,
  joinOrStartEmbeddedPostgres,
  startEmbeddedPostgres,
} from '../infrastructure/embedded-postgres/embedded-postgres.ts';
import { type DatabaseState, migrateUp, readDatabaseState } from '../infrastructure/postgres/migrate.ts';
import { CommandError, codeOf, explainDatabase, explainDataDir, explainMigration } from './errors.ts';

/** The database a command works on. The only place that knows whether it is embedded. */
export type Database = Readonly<{
  /** For the role the product runs as. */
  url: string;
  /** For the role that owns the tables. */
  ownerUrl: string;
  /** Where the data is, for people; no password in it. */
  description: string;
  /**
   * Looks at it as that role.
   *
   * @throws CommandError that says in words what is wrong with the address or the server
   */
  look(as: 'app' | 'owner'): Promise<DatabaseState>;
  /** Resolves, if ever, when the embedded server is gone and does not come back. */
  failed: Promise<Error>;
  stop(): Promise<void>;
}>;

/** Older ones lack what the schema uses, or the care of their makers. */
const POSTGRES_VERSION_MIN = 16;

/**
 * Opens the configured database: the one of DATABASE_URL, else the embedded one. Whether the former answers, `look` tells.
 *
 * @param how `own` to be the process that runs the embedded server; `join` to use one that runs already, if it does
 * @throws CommandError that says in words what is wrong with the data directory
 */
export async function openDatabase(
  { databaseUrl, databaseMigrationUrl, dataDir }: Config,
  how: 'own' | 'join',
  onProgress: (message: string) => void,
): Promise<Database> {
  if (databaseUrl !== null) {
    const ownerUrl = databaseMigrationUrl ?? databaseUrl;
    return {
      url: databaseUrl,
      ownerUrl,
      description: withoutPassword(databaseUrl),
      look: async (as) =>
        as === 'owner' && databaseMigrationUrl !== null
          ? await reach(databaseMigrationUrl, 'DATABASE_MIGRATION_URL')
          : await reach(databaseUrl, 'DATABASE_URL'),
      failed: new Promise(() => undefined),
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
  if (database.ownerUrl !== database.url) await database.look('owner');
  const { ownerUrl: url } = database;
  try {
    await migrateUp({ url, onProgress: say });
  } catch (error) {
    throw explainMigration(error, url);
  }
}

/** Whether every migration of this version is applied. One that a newer version applied does no harm to this one. */
export async function isCurrent(database: Database): Promise<boolean> {
  const { migrations } = await database.look('app');
  return migrations.every(({ appliedAt, drift }) => appliedAt !== null && drift !== 'changed');
}

/** Fails in words, here and now, instead of later with whatever the first statement runs into. */
async function reach(url: string, variable: string): Promise<DatabaseState> {
  let state: DatabaseState;
  try {
    state = await readDatabaseState({ url });
  } catch (error) {
    throw explainDatabase(error, url, variable);
  }
  if (state.serverVersion < POSTGRES_VERSION_MIN) {
    throw new CommandError(
      `${variable} leads to PostgreSQL ${state.serverVersion}; ${POSTGRES_VERSION_MIN} or newer is needed.\nUpgrade it, or unset ${variable} to use the embedded one.`,
    );
  }
  return state;
}

function toDatabase(embedded: EmbeddedPostgres): Database {
  return {
    url: embedded.url,
    ownerUrl: embedded.ownerUrl,
    description: `embedded PostgreSQL, data in ${embedded.dataDir}`,
    look: async (as) => {
      try {
        return await readDatabaseState({ url: as === 'owner' ? embedded.ownerUrl : embedded.url });
      } catch (error) {
        if (codeOf(error) !== '28P01') throw error;
        throw new CommandError(
          `The passwords in ${embedded.dataDir} are not those of its database; restore passwords.json from a copy.`,
        );
      }
    },
    failed: embedded.failed,
    stop: async () => await embedded.stop(),
  };
}

function withoutPassword(text: string): string {
  const url = new URL(text);
  url.password = '';
  url.search = '';
  return url.href;
}
