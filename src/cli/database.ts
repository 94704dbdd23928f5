import type { Config } from '../config.ts';
import {
  type EmbeddedPostgres,
  joinOrStartEmbeddedPostgres,
  startEmbeddedPostgres,
} from '../infrastructure/embedded-postgres.ts';

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

/**
 * Opens the configured database: the one of DATABASE_URL, else the embedded one.
 *
 * @param how `own` to be the process that runs the embedded server; `join` to use one that runs already, if it does
 */
export async function openDatabase(
  { databaseUrl, databaseMigrationUrl, dataDir }: Config,
  how: 'own' | 'join',
  onProgress: (message: string) => void,
): Promise<Database> {
  if (databaseUrl !== null) {
    return {
      url: databaseUrl,
      ownerUrl: databaseMigrationUrl ?? databaseUrl,
      description: withoutPassword(databaseUrl),
      stop: async () => undefined,
    };
  }
  const open = how === 'own' ? startEmbeddedPostgres : joinOrStartEmbeddedPostgres;
  return toDatabase(await open({ dataDir, onProgress }));
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
