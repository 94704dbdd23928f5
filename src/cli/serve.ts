import { type Config, DEVELOPMENT_API_KEY } from '../config.ts';
import { createLogger } from '../infrastructure/logging.ts';
import { migrateUp, migrationStates } from '../infrastructure/migrate.ts';
import { type RunningServer, startServer } from '../main.ts';
import { type Database, openDatabase } from './database.ts';
import { CommandError } from './errors.ts';

/** Beyond this a stop is no longer graceful, and no longer waited for. */
const STOP_MAX_MS = 9_500;

/** Starts everything, says where it is, and runs until a signal. Resolves with the exit code. */
export async function serve(config: Config): Promise<number> {
  const isTerminal = process.stdout.isTTY === true;
  const log = createLogger({ level: config.logLevel, isTerminal });
  const stopped = signalled();
  const say = (message: string): void => void process.stderr.write(`${message}\n`);

  const database = await openDatabase(config, 'own', say);
  let server: RunningServer | undefined;
  try {
    await migrateIfNeeded(database, say);
    server = await startServer({ config, databaseUrl: database.url, log }).catch((error: unknown) => {
      throw explain(error, config);
    });
    say(welcome(server, database, config));
    const signal = await stopped;
    say(`${signal}: stopping`);
    setTimeout(() => process.exit(1), STOP_MAX_MS).unref();
    return 0;
  } finally {
    await server?.stop();
    await database.stop();
  }
}

/** Looks first with the rights the server has, so that a role without DDL rights can serve a schema that is current. */
async function migrateIfNeeded(database: Database, say: (message: string) => void): Promise<void> {
  const states = await migrationStates({ url: database.url });
  // A database that is ahead of this version (drift `missing`) is for its newer servers to look after.
  if (states.every(({ appliedAt, drift }) => appliedAt !== null && drift !== 'changed')) return;
  await migrateUp({ url: database.ownerUrl, onProgress: say });
}

/** The first of the signals that end a server. */
async function signalled(): Promise<string> {
  return await new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => resolve(signal));
  });
}

function explain(error: unknown, { host, port }: Config): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') {
    return new CommandError(
      `Port ${port} on ${host} is in use by another process (see: ss -ltnp 'sport = :${port}', or lsof -i :${port}).\nStop it, or choose another port: PORT=${port + 1} npm start`,
    );
  }
  if (code === 'EACCES') return new CommandError(`Port ${port} needs more rights. Choose one above 1023: PORT=8000`);
  if (code === 'EADDRNOTAVAIL') return new CommandError(`HOST ${host} is not an address of this machine`);
  return error;
}

function welcome(
  { address }: RunningServer,
  { description }: Database,
  { prefix, apiKey, readAccess }: Config,
): string {
  const key = apiKey === DEVELOPMENT_API_KEY ? `X-API-Key: ${DEVELOPMENT_API_KEY}` : 'X-API-Key: the value of API_KEY';
  return `
  Mattilda Billing API

  API        ${address}${prefix}
  Docs       ${address}/docs
  Database   ${description}
  Key        ${key}   (${readAccess === 'key' ? 'reads and writes' : 'writes; reads are open'})

  Next       npm run seed                          sample schools, students, invoices and payments
             curl ${address}${prefix}/schools
  Stop       Ctrl-C
`;
}
