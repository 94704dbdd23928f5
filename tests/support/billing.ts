import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { FastifyInstance, InjectOptions } from 'fastify';
import pg from 'pg';
import { afterAll, inject } from 'vitest';
import { compose, composeServer, type Product } from '../../src/compose.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { createLogger } from '../../src/infrastructure/observability/logging.ts';
import { API_KEY } from './address.ts';
import { FakeClock } from './clock.ts';
import { type DocumentedAnswers, documentedAnswersOf } from './documented-answers.ts';
import { CREDIT_DRIFT } from './drift.ts';
import { invoiceBody, schoolBody, studentBody } from './factories.ts';
import { databaseUrl, POOLER_ENV, runOn } from './postgres-server.ts';

/** More than any test lets collide. */
const CONNECTIONS_MAX = '24';
const WAIT_MAX_MS = 10_000;
/** A machine that runs every test file at once is slow, and a race is held until all have come to wait for it. */
const PATIENT = { DATABASE_CONNECT_TIMEOUT_MS: '15000', DATABASE_LOCK_TIMEOUT_MS: '20000' };

export type Json = Record<string, unknown>;
export type Answer<Body = Json> = Readonly<{
  status: number;
  headers: Readonly<Record<string, string | number | string[] | undefined>>;
  body: Body;
  text: string;
}>;

/**
 * The product on a database of its own, both gone when the file's tests have run. Call it once at the top of a test
 * file: tests of one file share the database and make what they need, so that any order will do.
 *
 * @param env configuration that differs from the tests' defaults
 */
export async function startBilling(env: Readonly<Record<string, string>> = {}): Promise<Billing> {
  const { ownerUrl, appUrl, template } = inject('postgres');
  const name = `billing_test_${randomBytes(6).toString('hex')}`;
  await runOn(ownerUrl, `create database ${name} template ${template}`);
  const config = readConfig({
    ENVIRONMENT: 'test',
    API_KEY,
    // Tests on raw sockets call the server what they like; what it answers for is tested where it is set.
    ALLOWED_HOSTS: '*',
    DATABASE_POOL_MAX: CONNECTIONS_MAX,
    ...PATIENT,
    LOG_LEVEL: 'trace',
    ...POOLER_ENV,
    ...env,
  });
  const owner = new pg.Pool({ connectionString: databaseUrl(ownerUrl, name), max: 4 });
  owner.on('error', () => undefined);
  const billing = await Billing.start({ config, url: databaseUrl(appUrl, name), owner });
  afterAll(async () => {
    await billing.stop();
    await owner.end();
    await runOn(ownerUrl, `drop database ${name} with (force)`);
  });
  return billing;
}

/** A vocabulary for tests: says what a test needs and hides what it does not care about. */
export class Billing {
  readonly app: FastifyInstance;
  readonly product: Product;
  readonly config: Config;
  /** URL of the role the product runs as. */
  readonly url: string;
  /** Connections of the role that owns the tables, for what a test must see or spoil behind the product's back. */
  readonly owner: pg.Pool;
  readonly clock: FakeClock;
  readonly #lines: string[];
  #documented: DocumentedAnswers | undefined;

  static async start(of: { config: Config; url: string; owner: pg.Pool }): Promise<Billing> {
    const lines: string[] = [];
    const log = createLogger({
      level: of.config.logLevel,
      isTerminal: false,
      stream: { write: (line) => void lines.push(line) },
    });
    const clock = new FakeClock();
    const composed = await compose({ config: of.config, databaseUrl: of.url, log, clock });
    // How late the event loop runs says how busy the machine is with other tests: nobody must be turned away for it.
    const load = { ...composed.telemetry.load, eventLoopDelayMs: () => 0 };
    const product = { ...composed, telemetry: { ...composed.telemetry, load } };
    const app = await composeServer(product, { config: of.config, log, clock });
    await app.ready();
    return new Billing({ ...of, product, app, clock, lines });
  }

  private constructor(of: {
    config: Config;
    url: string;
    owner: pg.Pool;
    product: Product;
    app: FastifyInstance;
    clock: FakeClock;
    lines: string[];
  }) {
    this.config = of.config;
    this.url = of.url;
    this.owner = of.owner;
    this.product = of.product;
    this.app = of.app;
    this.clock = of.clock;
    this.#lines = of.lines;
  }

  async stop(): Promise<void> {
    await this.app.close();
    await this.product.close();
  }

  /** Sends a request with the key, and holds the answer against the OpenAPI document. Paths are below the API's prefix unless they begin with two slashes: //health. */
  async send<Body = Json>(
    method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE' | 'OPTIONS',
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> {
    const url = path.startsWith('//') ? path.slice(1) : `${this.config.prefix}${path}`;
    const options: InjectOptions = {
      method,
      url,
      headers: { 'x-api-key': this.config.apiKey, ...headers },
    };
    if (body !== undefined) {
      options.payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
      options.headers = { 'content-type': 'application/json', ...options.headers };
    }
    const response = await this.app.inject(options);
    this.#documented ??= documentedAnswersOf(this.app, this.config);
    this.#documented.check({
      method,
      url,
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
    });
    const isJson = /json/.test(String(response.headers['content-type']));
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      body: isJson && response.body !== '' ? response.json<Body>() : ({} as Body),
    };
  }

  async get<Body = Json>(path: string, headers: Record<string, string> = {}): Promise<Answer<Body>> {
    return await this.send<Body>('GET', path, undefined, headers);
  }

  async post(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return await this.send('POST', path, body, headers);
  }

  async patch(path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return await this.send('PATCH', path, body, headers);
  }

  async delete(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    return await this.send('DELETE', path, undefined, headers);
  }

  async aSchool(fields: Json = {}): Promise<number> {
    return await this.#made('/schools', schoolBody(fields));
  }

  /** In a school of its own, unless `fields` say otherwise. */
  async aFamily(fields: Json & { school_id?: number } = {}): Promise<number> {
    const school_id = fields.school_id ?? (await this.aSchool());
    return await this.#made('/families', { name: 'Familia', ...fields, school_id });
  }

  async aStudent(fields: Json & { school_id?: number } = {}): Promise<number> {
    const schoolId = fields.school_id ?? (await this.aSchool());
    return await this.#made('/students', studentBody(schoolId, fields));
  }

  /** Issued to a student of its own in a school of its own, in MXN, unless `fields` say otherwise. */
  async anInvoice(fields: Json & { student_id?: number } = {}): Promise<number> {
    const studentId = fields.student_id ?? (await this.aStudent());
    return await this.#made('/invoices', invoiceBody(studentId, fields));
  }

  async aPayment(invoiceId: number, amount: string, fields: Json = {}): Promise<number> {
    return await this.#made('/payments', { invoice_id: invoiceId, amount, ...fields });
  }

  async pay(invoiceId: number, amount: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return await this.post(`/invoices/${invoiceId}/payments`, { amount, method: 'CARD' }, headers);
  }

  /** What a test of money looks at, from the API. */
  async invoice(id: number): Promise<{ status: unknown; paid: unknown; credited: unknown; pending: unknown }> {
    const { status, paid, credited, pending } = (await this.get(`/invoices/${id}`)).body;
    return { status, paid, credited, pending };
  }

  /** The invoices of which a stored figure differs from the rows it stands for. Money tests end by expecting none. */
  async driftedInvoices(): Promise<number[]> {
    const { rows } = await this.owner.query<{ id: string }>(`
      select i.id from invoices i
      where i.amount_paid <> (
          select coalesce(sum(a.amount), 0) from payment_allocations a where a.invoice_id = i.id
        )
        or i.amount_credited <> (
          select coalesce(sum(c.amount), 0) from credit_notes c
          where c.invoice_id = i.id and not exists (select from credit_note_reversals r where r.credit_note_id = c.id)
        )
        or i.amount_paid + i.amount_credited > i.amount_total`);
    return rows.map(({ id }) => Number(id));
  }

  /** Payments, families and schools whose stored sums differ from the rows they stand for (I1 to I4 of docs/families.md). */
  async driftedCredit(): Promise<string[]> {
    const { rows } = await this.owner.query<{ what: string }>(CREDIT_DRIFT);
    return rows.map(({ what }) => what);
  }

  /**
   * Starts requests while a lock is held that all of them need, and lets go once all of them wait for it: the race
   * happens every time instead of now and then.
   *
   * @param lock takes the lock, such as `select from invoices where id = 7 for update`
   * @param meanwhile happens while all wait, in the transaction that holds the lock
   */
  async collideOn<T>(
    lock: string,
    requests: readonly (() => Promise<T>)[],
    meanwhile?: (holder: pg.PoolClient) => Promise<unknown>,
  ): Promise<T[]> {
    const holder = await this.owner.connect();
    try {
      await holder.query('begin');
      await holder.query(lock);
      const answers = Promise.all(requests.map(async (request) => await request()));
      answers.catch(() => undefined);
      await this.untilWaiting(requests.length);
      await meanwhile?.(holder);
      await holder.query('commit');
      return await answers;
    } finally {
      await holder.query('rollback');
      holder.release();
    }
  }

  /** {@link collideOn} the row of an invoice, `count` times the same request. */
  async collide<T>(invoiceId: number, count: number, request: () => Promise<T>): Promise<T[]> {
    const lock = `select from invoices where id = ${invoiceId} for update`;
    return await this.collideOn(lock, Array<() => Promise<T>>(count).fill(request));
  }

  /** Resolves when `count` statements of this database wait for a lock. */
  async untilWaiting(count: number): Promise<void> {
    const deadline = Date.now() + WAIT_MAX_MS;
    for (;;) {
      const { rows } = await this.owner.query<{ waiting: number }>(`
        select count(*)::int as waiting from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`);
      const waiting = rows[0]?.waiting ?? 0;
      if (waiting >= count) return;
      if (Date.now() > deadline) throw new Error(`only ${waiting} of ${count} came to wait for the lock`);
      await setTimeout(5);
    }
  }

  /** Every log line so far, parsed. */
  logs(): Json[] {
    return this.#lines.map((line): Json => JSON.parse(line));
  }

  /** Every log line so far, as it was written. */
  logText(): string {
    return this.#lines.join('');
  }

  /** Names of the business events logged so far, in order; the request lines left out. */
  events(): unknown[] {
    return this.logs()
      .map(({ event }) => event)
      .filter((event) => event !== 'request_completed');
  }

  async #made(path: string, body: Json): Promise<number> {
    const { status, body: made, text } = await this.post(path, body);
    if (status !== 201 || typeof made['id'] !== 'number') throw new Error(`POST ${path} answered ${status}: ${text}`);
    return made['id'];
  }
}
