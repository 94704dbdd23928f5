import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, inject } from 'vitest';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../../src/infrastructure/embedded-postgres/embedded-postgres.ts';
import { migrateUp } from '../../../src/infrastructure/postgres/migrate.ts';
import { databaseUrl, runOn } from '../../support/postgres-server.ts';
import type { Databases } from './server-process.ts';

const VERSION = 18;
const POLL_MS = 5;
const ACCEPT_MAX_MS = 60_000;

/** A migrated database on the server the test files share, gone after the file's tests. For faults that spare PostgreSQL. */
export async function aDatabase(): Promise<Databases & { owner: pg.Pool }> {
  const { ownerUrl, appUrl, template } = inject('postgres');
  const name = `faults_test_${randomBytes(6).toString('hex')}`;
  await runOn(ownerUrl, `create database ${name} template ${template}`);
  const owner = new pg.Pool({ connectionString: databaseUrl(ownerUrl, name), max: 4 });
  owner.on('error', () => undefined);
  afterAll(async () => {
    await owner.end();
    await runOn(ownerUrl, `drop database ${name} with (force)`);
  });
  return { url: databaseUrl(appUrl, name), ownerUrl: databaseUrl(ownerUrl, name), owner };
}

/**
 * A PostgreSQL to be killed: durable, on a directory of its own, at the same address again after each start. Whoever
 * starts it calls {@link remove} at the end.
 */
export class DoomedPostgres implements Databases {
  readonly dataDir: string;
  #server: EmbeddedPostgres;

  static async start(dataDir = aDirectory()): Promise<DoomedPostgres> {
    const server = await startEmbeddedPostgres({ dataDir, version: VERSION });
    await migrateUp({ url: server.ownerUrl });
    return new DoomedPostgres(dataDir, server);
  }

  private constructor(dataDir: string, server: EmbeddedPostgres) {
    this.dataDir = dataDir;
    this.#server = server;
  }

  get url(): string {
    return this.#server.url;
  }

  get ownerUrl(): string {
    return this.#server.ownerUrl;
  }

  /** Where PostgreSQL writes what it has to say. */
  get logFile(): string {
    return join(this.dataDir, `postgres-${VERSION}`, 'postgres.log');
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }

  /** Stops it and forgets its data. */
  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** After {@link stop}: on the same data, at the same address. */
  async startAgain(): Promise<void> {
    const before = this.url;
    this.#server = await startEmbeddedPostgres({ dataDir: this.dataDir, version: VERSION });
    if (this.url !== before) throw new Error('PostgreSQL came back at another address');
  }

  /**
   * kill -9 of the postmaster. What started it starts it again; resolves when it takes connections.
   *
   * @param meanwhile happens before anybody waits for that
   */
  async kill(meanwhile?: () => Promise<void>): Promise<void> {
    const pid = this.#pid();
    process.kill(pid, 'SIGKILL');
    await meanwhile?.();
    const deadline = Date.now() + ACCEPT_MAX_MS;
    while (!(await this.#accepts(pid))) {
      if (Date.now() > deadline) throw new Error('PostgreSQL did not come back');
      await setTimeout(POLL_MS);
    }
  }

  /** One query on a connection of its own, as the owner. */
  async query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.ownerUrl });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  #pid(): number {
    const file = join(this.dataDir, `postgres-${VERSION}`, 'data', 'postmaster.pid');
    return Number(readFileSync(file, 'utf8').split('\n', 1)[0]);
  }

  async #accepts(oldPid: number): Promise<boolean> {
    try {
      return this.#pid() !== oldPid && (await this.query('select 1')).length === 1;
    } catch {
      return false;
    }
  }
}

/** A directory the server's account may enter. */
export function aDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mattilda-faults-'));
  chmodSync(directory, 0o755);
  return directory;
}

/** Ids of invoices and schools of which a stored figure differs from the rows it stands for. */
export const DRIFT = `
  select i.id::int from invoices i
  where i.amount_paid <> (
      select coalesce(sum(a.amount), 0) from payment_allocations a where a.invoice_id = i.id
    )
    or i.amount_credited <> (
      select coalesce(sum(c.amount), 0) from credit_notes c
      where c.invoice_id = i.id and not exists (select from credit_note_reversals r where r.credit_note_id = c.id)
    )
    or i.amount_paid + i.amount_credited > i.amount_total
  union all
  select sc.id::int from schools sc
  left join school_totals t on t.school_id = sc.id
  cross join lateral (
    select coalesce(sum(i.amount_total), 0) as invoiced, coalesce(sum(i.amount_credited), 0) as credited,
           coalesce(sum(i.amount_paid), 0) as paid
    from invoices i where i.school_id = sc.id and i.voided_at is null
  ) sums
  where (coalesce(t.invoiced, 0), coalesce(t.credited, 0), coalesce(t.paid, 0))
        <> (sums.invoiced, sums.credited, sums.paid)`;
