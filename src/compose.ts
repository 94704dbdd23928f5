import { readFileSync } from 'node:fs';
import type { FastifyInstance } from 'fastify';
import { buildServer } from './api/server.ts';
import type { Config } from './config.ts';
import { systemClock } from './infrastructure/clock.ts';
import type { Logger } from './infrastructure/logging.ts';
import { newestMigration } from './infrastructure/migrate.ts';
import { Pool, type PoolOptions } from './infrastructure/postgres.ts';
import { Readiness } from './infrastructure/readiness.ts';
import { UnitOfWork } from './repositories/unit-of-work.ts';
import { IdempotencyCleaner } from './services/idempotency-cleaner.ts';
import { InvoiceService } from './services/invoice-service.ts';
import { LedgerService } from './services/ledger-service.ts';
import { PaymentService } from './services/payment-service.ts';
import type { Clock } from './services/ports.ts';
import { ReportService } from './services/report-service.ts';
import { SchoolService } from './services/school-service.ts';
import { StatementService } from './services/statement-service.ts';
import { StudentService } from './services/student-service.ts';

/** Slow readers of long answers hold a connection each; these are theirs, and no more than these. */
const STREAM_CONNECTIONS_MAX = 8;
/** A reader that takes nothing for so long has gone, whatever its socket says. */
const STREAM_IDLE_TIMEOUT_MS = 60_000;

export const VERSION = readVersion();

export type Services = Readonly<{
  schools: SchoolService;
  students: StudentService;
  invoices: InvoiceService;
  payments: PaymentService;
  statements: StatementService;
  ledgers: LedgerService;
  reports: ReportService;
  idempotencyCleaner: IdempotencyCleaner;
}>;

/** Everything between the database and whoever asks: HTTP is one of the askers, the command line another. */
export type Product = Readonly<{
  services: Services;
  unitOfWork: UnitOfWork;
  pool: Pool;
  readiness: Readiness;
  /** Gives the connections back. */
  close(): Promise<void>;
}>;

export type Surroundings = Readonly<{
  config: Config;
  /** The database of the role the product runs as. */
  databaseUrl: string;
  log: Logger;
  clock?: Clock;
}>;

/** The composition root: every object of the product is made here, once, by hand, in dependency order. */
export async function compose({ config, databaseUrl, log, clock = systemClock }: Surroundings): Promise<Product> {
  const pool = new Pool(poolOptions(config, databaseUrl, log));
  const streamPool = new Pool({
    ...poolOptions(config, databaseUrl, log),
    connectionsMax: STREAM_CONNECTIONS_MAX,
    idleInTransactionTimeoutMs: STREAM_IDLE_TIMEOUT_MS,
  });
  const unitOfWork = new UnitOfWork({
    pool,
    streamPool,
    onRetry: (reason) => log.warn({ reason }, 'database_work_repeated'),
  });
  const dependencies = { unitOfWork, clock, log };
  return {
    services: {
      schools: new SchoolService(dependencies),
      students: new StudentService(dependencies),
      invoices: new InvoiceService(dependencies),
      payments: new PaymentService(dependencies),
      statements: new StatementService(dependencies),
      ledgers: new LedgerService(dependencies),
      reports: new ReportService(dependencies),
      idempotencyCleaner: new IdempotencyCleaner(dependencies),
    },
    unitOfWork,
    pool,
    readiness: new Readiness({ pool, newestMigration: await newestMigration() }),
    close: async () => {
      await Promise.all([pool.end(), streamPool.end()]);
    },
  };
}

/** The product behind HTTP. It listens nowhere yet. */
export async function composeServer(
  product: Product,
  { config, log, clock = systemClock }: Omit<Surroundings, 'databaseUrl'>,
): Promise<FastifyInstance> {
  const { prefix, apiKey, readAccess } = config;
  return await buildServer(
    { prefix, apiKey, readAccess, version: VERSION },
    { ...product.services, readiness: product.readiness, clock, log },
  );
}

function poolOptions({ database }: Config, connectionString: string, log: Logger): PoolOptions {
  return {
    connectionString,
    ...database,
    onIdleError: (error) => log.warn({ error: error.name }, 'database_connection_lost'),
  };
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  if (typeof manifest !== 'object' || manifest === null || !('version' in manifest)) return '0.0.0';
  return String(manifest.version);
}
