import type { FastifyInstance } from 'fastify';
import { CONNECTION_LIMITS, type ConnectionLimits } from './api/edge/load/connection-limits.ts';
import { buildServer, type Telemetry } from './api/server.ts';
import type { Config } from './config.ts';
import type { Clock } from './domain/shared/ports.ts';
import { systemClock } from './infrastructure/clock.ts';
import { BATCHES_MAX } from './infrastructure/concurrency/batcher.ts';
import { Semaphore } from './infrastructure/concurrency/semaphore.ts';
import { Shares } from './infrastructure/concurrency/shares.ts';
import { Writes } from './infrastructure/concurrency/writes.ts';
import { OidcProvider } from './infrastructure/identity/oidc.ts';
import { ScryptPasswords } from './infrastructure/identity/passwords.ts';
import { randomTokens } from './infrastructure/identity/tokens.ts';
import { EventLoopDelay } from './infrastructure/observability/event-loop.ts';
import type { Logger } from './infrastructure/observability/logging.ts';
import { Metrics } from './infrastructure/observability/metrics.ts';
import { startTracing } from './infrastructure/observability/tracing.ts';
import { PdfPool } from './infrastructure/pdf/pool.ts';
import { DiskSpace } from './infrastructure/postgres/disk-space.ts';
import { newestMigration } from './infrastructure/postgres/migration-files.ts';
import { Pool, type PoolOptions } from './infrastructure/postgres/pool.ts';
import { ANSWER_WITHIN_MS, Readiness } from './infrastructure/postgres/readiness.ts';
import { TracedPool } from './infrastructure/postgres/traced-pool.ts';
import { CountryTimeZones } from './infrastructure/time-zones.ts';
import { VERSION } from './infrastructure/version.ts';
import { auditJob } from './jobs/audit.ts';
import { billingRunsJob } from './jobs/billing-runs.ts';
import { idempotencyKeysJob } from './jobs/idempotency-keys.ts';
import { JobRunner } from './jobs/runner.ts';
import { signInJob } from './jobs/sign-in.ts';
import { Batches } from './repositories/shared/batches.ts';
import { Retries } from './repositories/shared/retries.ts';
import { UnitOfWork } from './repositories/shared/unit-of-work.ts';
import { type AccessServices, accessServices } from './services/access/services.ts';
import { FamilyService } from './services/accounts/family-service.ts';
import { GuardianService } from './services/accounts/guardian-service.ts';
import { SchoolService } from './services/accounts/school-service.ts';
import { StudentService } from './services/accounts/student-service.ts';
import { ClosingService } from './services/billing/closing-service.ts';
import { CreditNoteService } from './services/billing/credit-note-service.ts';
import { FamilyPaymentService } from './services/billing/family-payment-service.ts';
import { InvoiceService } from './services/billing/invoice-service.ts';
import { PaymentService } from './services/billing/payment-service.ts';
import { DocumentService } from './services/documents/document-service.ts';
import { BillingRunService } from './services/plans/billing-run-service.ts';
import { BillingRunWorker } from './services/plans/billing-run-worker.ts';
import { type CatalogueServices, catalogueServices } from './services/plans/kinds.ts';
import { LedgerService } from './services/reporting/ledger-service.ts';
import { ReconciliationService } from './services/reporting/reconciliation-service.ts';
import { ReportService } from './services/reporting/report-service.ts';
import { StatementService } from './services/reporting/statement-service.ts';
import { IdempotencyCleaner } from './services/shared/idempotency-cleaner.ts';
import { JobLeases } from './services/shared/job-leases.ts';

/** Slow readers of long answers hold a connection each; these are theirs, and no more than these. */
const STREAM_CONNECTIONS_MAX = 16;
/** Of these, so many for one caller: half, so that no reader alone keeps all others from theirs. */
const STREAMS_PER_CALLER_MAX = STREAM_CONNECTIONS_MAX / 2;
/**
 * For statements that callers share: as many as there can be at once, of each of the ten kinds. So none of them waits
 * for another, be it that somebody locks the table it is about.
 */
const BATCH_CONNECTIONS_MAX = 10 * BATCHES_MAX;
/** Asks whether the database is ready, and nothing else. */
const PROBE_CONNECTIONS_MAX = 1;
/** So many connections does a process have at most besides the `DATABASE_POOL_MAX` of its pool. */
export const FURTHER_CONNECTIONS_MAX = STREAM_CONNECTIONS_MAX + BATCH_CONNECTIONS_MAX + PROBE_CONNECTIONS_MAX;
/** Of the pool's connections, so many reads may use at once; the others are left to those who pay (docs/decisions/0022). */
const READS_SHARE = 0.5;
/** While somebody writes: lists and reports, statements that readers of single rows share, and parts of long answers at once. */
const BESIDE_WRITES = { reads: 2, batches: 1, streamSteps: 1 };
/** Statements that readers of single rows share take some 15 ms, and a few times that on a busy machine. */
const BATCH_HELD_MAX_MS = 250;
/** A reader that takes nothing for so long has gone, whatever its socket says. */
const STREAM_IDLE_TIMEOUT_MS = 60_000;

export type Services = CatalogueServices &
  AccessServices &
  Readonly<{
    schools: SchoolService;
    students: StudentService;
    families: FamilyService;
    guardians: GuardianService;
    invoices: InvoiceService;
    creditNotes: CreditNoteService;
    closings: ClosingService;
    payments: PaymentService;
    familyPayments: FamilyPaymentService;
    statements: StatementService;
    ledgers: LedgerService;
    documents: DocumentService;
    reports: ReportService;
    reconciliation: ReconciliationService;
    idempotencyCleaner: IdempotencyCleaner;
    billingRuns: BillingRunService;
  }>;

/** Everything between the database and whoever asks: HTTP is one of the askers, the command line another. */
export type Product = Readonly<{
  services: Services;
  unitOfWork: UnitOfWork;
  batches: Batches;
  pool: Pool;
  readiness: Readiness;
  telemetry: Telemetry;
  longAnswers: Shares;
  jobs: JobRunner;
  billingRunWorker: BillingRunWorker;
  close(): Promise<void>;
}>;

export type Runtime = Readonly<{
  config: Config;
  /** The database of the role the product runs as. */
  databaseUrl: string;
  log: Logger;
  clock?: Clock;
  /** Other limits than those of production: for tests. */
  limits?: ConnectionLimits;
}>;

/** The composition root: every object of the product is made here, once, by hand, in dependency order. */
export async function compose({ config, databaseUrl, log, clock = systemClock }: Runtime): Promise<Product> {
  const tracing = config.tracing === null ? null : await startTracing(config.tracing, VERSION);
  const makePool = (options: PoolOptions): Pool =>
    tracing === null ? new Pool(options) : new TracedPool(options, tracing);
  const pool = makePool(poolOptions(config, databaseUrl, log));
  const streamPool = makePool({
    ...poolOptions(config, databaseUrl, log),
    connectionsMax: STREAM_CONNECTIONS_MAX,
    idleInTransactionTimeoutMs: STREAM_IDLE_TIMEOUT_MS,
  });
  const batchPool = makePool({
    ...poolOptions(config, databaseUrl, log),
    connectionsMax: BATCH_CONNECTIONS_MAX,
    keepPlans: config.database.prepare,
  });
  // Not traced: what balancers ask every second would be most of the traces.
  const probePool = new Pool({
    ...poolOptions(config, databaseUrl, log),
    connectionsMax: PROBE_CONNECTIONS_MAX,
    connectTimeoutMs: ANSWER_WITHIN_MS,
    statementTimeoutMs: ANSWER_WITHIN_MS,
  });
  const { connectionsMax, connectTimeoutMs: waitMaxMs, lockTimeoutMs: lockWaitMaxMs } = config.database;
  const writes = new Writes();
  const reads = new Semaphore({
    places: Math.ceil(connectionsMax * READS_SHARE),
    waitMaxMs,
    givesWay: { to: writes, places: BESIDE_WRITES.reads },
  });
  const unlimited = { places: Number.POSITIVE_INFINITY, waitMaxMs: null };
  const batchedReads = new Semaphore({
    ...unlimited,
    givesWay: { to: writes, places: BESIDE_WRITES.batches, heldMaxMs: BATCH_HELD_MAX_MS },
  });
  const streamSteps = new Semaphore({ ...unlimited, givesWay: { to: writes, places: BESIDE_WRITES.streamSteps } });
  const eventLoop = new EventLoopDelay();
  const pools = {
    main: () => pool.gauge(),
    reads: () => reads.gauge(),
    groups: () => ({ ...batchPool.gauge(), waiting: batches.waiting('read') + batches.waiting('statement') }),
    streams: () => streamPool.gauge(),
  };
  const metrics = new Metrics({ version: VERSION, eventLoop, pools });
  const diskSpace = new DiskSpace({ pool: probePool, log });
  const retries = new Retries({
    pool,
    onRetry: (reason) => {
      log.warn({ reason }, 'database_work_repeated');
      metrics.workRepeated(reason);
    },
    onDiskFull: () => diskSpace.report(),
  });
  const unitOfWork = new UnitOfWork({ pool, reads, streamPool, streamSteps, writes, retries });
  const batches = new Batches({ pool, batchPool, waitMaxMs, lockWaitMaxMs, reads: batchedReads, writes, retries });
  const dependencies = { unitOfWork, batches, clock, log };
  const statements = new StatementService(dependencies);
  const ledgers = new LedgerService(dependencies);
  const reports = new ReportService(dependencies);
  const renderer = new PdfPool({ writes });
  const idempotencyCleaner = new IdempotencyCleaner(dependencies);
  const access = accessServices({
    ...dependencies,
    passwords: new ScryptPasswords(),
    tokens: randomTokens,
    provider: config.oidc === null ? null : new OidcProvider(config.oidc),
  });
  const invoices = new InvoiceService(dependencies);
  const billingRunWorker = new BillingRunWorker(dependencies);
  const worker = config.worker ? billingRunWorker : null;
  return {
    services: {
      schools: new SchoolService({ ...dependencies, timeZones: new CountryTimeZones() }),
      students: new StudentService(dependencies),
      families: new FamilyService(dependencies),
      guardians: new GuardianService(dependencies),
      invoices,
      creditNotes: new CreditNoteService(dependencies),
      closings: new ClosingService(dependencies),
      payments: new PaymentService(dependencies),
      familyPayments: new FamilyPaymentService(dependencies),
      ...catalogueServices(dependencies),
      ...access,
      billingRuns: new BillingRunService({ ...dependencies, invoices, worker }),
      statements,
      ledgers,
      documents: new DocumentService({ ...dependencies, statements, ledgers, reports, renderer }),
      reports,
      reconciliation: new ReconciliationService(dependencies),
      idempotencyCleaner,
    },
    unitOfWork,
    batches,
    pool,
    readiness: new Readiness({ pool: probePool, newestMigration: await newestMigration(), diskSpace }),
    jobs: new JobRunner({
      ...dependencies,
      jobs: [
        idempotencyKeysJob(idempotencyCleaner),
        signInJob(access.signInCleaner),
        auditJob(access.auditSealer),
        billingRunsJob(billingRunWorker),
      ],
      leases: new JobLeases(dependencies),
    }),
    billingRunWorker,
    telemetry: { metrics, load: loadOf(eventLoop, { pool, reads, streamPool, batches }), tracing },
    longAnswers: new Shares({ placesEach: STREAMS_PER_CALLER_MAX, waitMaxMs }),
    close: async () => {
      eventLoop.stop();
      await billingRunWorker.stop();
      await renderer.close();
      await Promise.all([batchPool.end(), pool.end(), streamPool.end(), probePool.end(), tracing?.stop()]);
    },
  };
}

/** The product behind HTTP. It listens nowhere yet. */
export async function composeServer(
  product: Product,
  { config, log, clock = systemClock, limits = limitsOf(config) }: Omit<Runtime, 'databaseUrl'>,
): Promise<FastifyInstance> {
  const { prefix, apiKey, readAccess, allowedHosts, corsOrigins, rateLimitPerMinute, trustProxy, publicUrl } = config;
  return await buildServer(
    {
      prefix,
      apiKey,
      readAccess,
      allowedHosts,
      corsOrigins,
      rateLimitPerMinute,
      limits,
      trustProxy,
      publicUrl,
      connectionsMax: config.database.connectionsMax,
      version: VERSION,
    },
    {
      ...product.services,
      ...product.telemetry,
      readiness: product.readiness,
      longAnswers: product.longAnswers,
      clock,
      log,
    },
  );
}

function limitsOf({ connectionsPerAddressMax }: Config): ConnectionLimits {
  return { ...CONNECTION_LIMITS, connectionsPerAddressMax };
}

function loadOf(
  eventLoop: EventLoopDelay,
  of: { pool: Pool; reads: Semaphore; streamPool: Pool; batches: Batches },
): Telemetry['load'] {
  const { pool, reads, streamPool, batches } = of;
  const { max } = pool.gauge();
  const waiting = {
    writes: (): number => pool.gauge().waiting + batches.waiting('statement'),
    rows: (): number => waiting.writes() + batches.waiting('read'),
    lists: (): number => waiting.rows() + reads.gauge().waiting,
  };
  return {
    eventLoopDelayMs: () => eventLoop.recentMs,
    waitingPerConnection: (what) => waiting[what]() / max,
    streamsWaitingPerConnection: () => streamPool.gauge().waiting / STREAM_CONNECTIONS_MAX,
  };
}

function poolOptions({ database }: Config, connectionString: string, log: Logger): PoolOptions {
  return {
    connectionString,
    ...database,
    onIdleError: (error) => log.warn({ code: codeOf(error), message: error.message }, 'database_connection_lost'),
  };
}

/** An SQLSTATE, such as 57P01, or the name of a system error, such as ECONNRESET. */
function codeOf(error: Error): string | null {
  return 'code' in error && typeof error.code === 'string' ? error.code : null;
}
