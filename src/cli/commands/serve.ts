import { parseArgs } from 'node:util';
import { type Config, DEVELOPMENT_API_KEY } from '../../config.ts';
import { createLogger } from '../../infrastructure/observability/logging.ts';
import { type Database, migrateIfNeeded, openDatabase } from '../database.ts';
import { explainAddress } from '../errors.ts';
import type { Io } from '../io.ts';
import type { Server } from '../server.ts';

export const SERVE_HELP = `Usage: mattilda-billing serve

Starts the API and runs until SIGTERM or Ctrl-C. Applies missing migrations first.
Without DATABASE_URL it starts an embedded PostgreSQL, whose data stays in DATA_DIR.

  HOST, PORT            where it listens (127.0.0.1, 8000)
  DATABASE_URL          postgresql://user:password@host:5432/database, PostgreSQL 16 or newer
  DATA_DIR              where the embedded PostgreSQL keeps its data
  API_KEY               what writes send as X-API-Key (dev-secret-key)
  READ_ACCESS           public, or key: reads need the key too
  ENVIRONMENT           development, test or production
  LOG_LEVEL             TRACE, DEBUG, INFO, WARN, ERROR, FATAL (INFO)

docs/configuration.md names the rest.`;

/** Beyond this a stop is no longer graceful, and no longer waited for. */
const STOP_MAX_MS = 9_500;

/** Starts everything, says where it is, and runs until a signal. Resolves with the exit code. */
export async function serve(args: string[], config: Config, io: Io): Promise<number> {
  parseArgs({ args, options: {} });
  const log = createLogger({ level: config.logLevel, isTerminal: io.isTerminal.out });
  const signalled = io.signalled();

  // PostgreSQL starts and is looked at while this process reads and composes the server: half of a start is either.
  const opening = openDatabase(config, 'own', io.say);
  const migrated = opening.then(async (opened) => await migrateIfNeeded(opened, io.say));
  migrated.catch(() => undefined);
  const [database, { prepareServer }] = await Promise.all([opening, import('../server.ts')]);
  let server: Server | undefined;
  let overdue: NodeJS.Timeout | undefined;
  try {
    const prepared = await prepareServer({ config, databaseUrl: database.url, log });
    await migrated;
    server = await prepared.listen().catch((error: unknown) => {
      throw explainAddress(error, config);
    });
    io.say(welcome(server, database, config));
    const end = await Promise.race([signalled, database.failed]);
    overdue = setTimeout(() => io.exit(1), STOP_MAX_MS);
    if (end instanceof Error) {
      // Whoever supervises this process is to notice: what it lacks it cannot get by itself.
      log.fatal({ reason: end.message }, 'embedded_postgres_lost');
      throw end;
    }
    io.say(`${end}: stopping`);
    return 0;
  } finally {
    await server?.stop();
    await database.stop();
    clearTimeout(overdue);
  }
}

function welcome(
  { address, connectionsMax }: Server,
  { description }: Database,
  { prefix, apiKey, readAccess }: Config,
): string {
  const key = apiKey === DEVELOPMENT_API_KEY ? `X-API-Key: ${DEVELOPMENT_API_KEY}` : 'X-API-Key: the value of API_KEY';
  return `
  Mattilda Billing API

  API        ${address}${prefix}
  Docs       ${address}/docs
  Database   ${description}, up to ${connectionsMax} connections
  Key        ${key}   (${readAccess === 'key' ? 'reads and writes' : 'writes; reads are open'})

  Next       npm run seed                          sample schools, students, invoices and payments
             curl ${address}${prefix}/schools
  Stop       Ctrl-C
`;
}
