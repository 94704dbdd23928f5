import { describe, expect, test } from 'vitest';
import { DiskSpace } from '../../../src/infrastructure/postgres/disk-space.ts';
import { newestMigration } from '../../../src/infrastructure/postgres/migration-files.ts';
import { Pool } from '../../../src/infrastructure/postgres/pool.ts';
import { Readiness } from '../../../src/infrastructure/postgres/readiness.ts';
import type { Statement } from '../../../src/infrastructure/postgres/sql.ts';
import { type Answer, startBilling } from '../../support/billing.ts';
import { studentBody } from '../../support/factories.ts';
import { IS_POOLED } from '../../support/postgres-server.ts';
import { expectProblem } from '../../support/problem.ts';

const READY_WITHIN_MS = 5_000;

const billing = await startBilling();

/** What is known is told for a second, so the state of before may be told once more. */
async function untilStatus(status: number): Promise<Answer> {
  await expect
    .poll(async () => (await billing.get('//health/ready')).status, { timeout: READY_WITHIN_MS, interval: 50 })
    .toBe(status);
  return await billing.get('//health/ready');
}

describe('GET /health', () => {
  test('200: exactly this, and no database touched', async () => {
    const answer = await billing.get('//health');
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('{"status":"healthy"}');
  });
});

describe('GET /health/ready', () => {
  test('200: database and schema are usable', async () => {
    expect(await billing.get('//health/ready')).toMatchObject({ status: 200, text: '{"status":"ready"}' });
  });

  test('503: the newest migration is missing', async () => {
    const { rows } = await billing.owner.query('select * from schema_migrations order by name desc limit 1');
    const [newest] = rows;
    await billing.owner.query('delete from schema_migrations where name = $1', [newest.name]);
    try {
      const answer = await untilStatus(503);
      expectProblem(answer, 503, 'database_unavailable');
      expect(answer.headers['retry-after']).toBe('2');
      expect(answer.body['detail']).toBe('The database has not been migrated to this version');
    } finally {
      const columns = Object.keys(newest);
      const places = columns.map((_, index) => `$${index + 1}`).join(', ');
      const into = `insert into schema_migrations (${columns.join(', ')}) values (${places})`;
      await billing.owner.query(into, Object.values(newest));
    }
    await untilStatus(200);
  });

  test('503: the schema is not there', async () => {
    await billing.owner.query('alter table schema_migrations rename to elsewhere');
    try {
      expectProblem(await untilStatus(503), 503, 'database_unavailable');
      expect((await billing.get('//health')).status).toBe(200);
    } finally {
      await billing.owner.query('alter table elsewhere rename to schema_migrations');
    }
  });

  test('503: the database refuses connections; health stays 200, reads say 503 and when to come back', async () => {
    const { rows } = await billing.owner.query<{ name: string }>('select current_database() as name');
    const name = rows[0]?.name ?? '';
    const role = new URL(billing.url).username;
    await billing.owner.query(`revoke connect on database ${name} from public, ${role}`);
    await billing.owner.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename = $2',
      [name, role],
    );
    try {
      // A pooler keeps its connections to us, whatever becomes of those behind it.
      if (!IS_POOLED) {
        await expect
          .poll(() => billing.logs().find((line) => line['event'] === 'database_connection_lost'))
          .toMatchObject({
            level: 'warn',
            code: '57P01',
            message: 'terminating connection due to administrator command',
          });
      }
      expectProblem(await untilStatus(503), 503, 'database_unavailable');
      const read = await billing.get('/schools');
      expectProblem(read, 503, 'database_unavailable');
      expect(read.headers['retry-after']).toBe('2');
      expect((await billing.get('//health')).status).toBe(200);
    } finally {
      await billing.owner.query(`grant connect on database ${name} to public`);
    }
    await untilStatus(200);
    expect((await billing.get('/schools')).status).toBe(200);
  });
});

test('503: a disk that is full is an answer of its own, and one line in the log', async () => {
  const school = await billing.aSchool();
  const counted = (event: string): number => billing.logs().filter((line) => line['event'] === event).length;
  // As PostgreSQL says it, when it wants to make a table longer and cannot.
  await billing.owner.query(`
    create function no_room() returns trigger language plpgsql as $$
    begin raise exception using errcode = '53100', message = 'could not extend file: No space left on device'; end $$;
    create trigger no_room before insert on students for each row execute function no_room()`);
  try {
    for (let asked = 0; asked < 3; asked++) {
      const answer = await billing.post('/students', studentBody(school));
      expectProblem(answer, 503, 'database_full');
      expect(answer.headers['retry-after']).toBe('10');
    }
  } finally {
    await billing.owner.query('drop trigger no_room on students; drop function no_room()');
  }
  expect([counted('database_disk_filled'), counted('database_disk_freed')]).toEqual([1, 0]);
  // It is tried out, and there is room.
  await expect
    .poll(async () => {
      await billing.get('//health/ready');
      return counted('database_disk_freed');
    })
    .toBe(1);
  await untilStatus(200);
});

// Nobody needs a key for it: were the database asked for each, one client could take it from all who pay.
describe('however many ask', () => {
  test('the database is asked once a second', async () => {
    let asked = 0;
    class CountingPool extends Pool {
      override async rows<Row>(statement: Statement): Promise<Row[]> {
        asked += 1;
        return await super.rows<Row>(statement);
      }
    }
    const { connectionString = '' } = billing.owner.options;
    const pool = new CountingPool({ ...billing.config.database, connectionString, connectionsMax: 1 });
    const log = { info: () => undefined, error: () => undefined };
    const diskSpace = new DiskSpace({ pool, log });
    const readiness = new Readiness({ pool, newestMigration: await newestMigration(), diskSpace });
    const all = await Promise.all(Array.from({ length: 500 }, async () => await readiness.check()));
    expect(new Set(all.map(({ ready }) => ready))).toEqual(new Set([true]));
    expect([await readiness.check(), asked]).toEqual([{ ready: true }, 1]);

    await expect.poll(async () => (await readiness.check()).ready && asked, { interval: 20 }).toBe(2);
    await pool.end();
  });

  test('200: on a connection that nobody waits for, also while all others are in use', async () => {
    const one = await startBilling({ DATABASE_POOL_MAX: '1' });
    const invoiceId = await one.anInvoice();
    const holder = await one.owner.connect();
    try {
      await holder.query('begin');
      await holder.query(`select from invoices where id = ${invoiceId} for update`);
      const paying = one.pay(invoiceId, '1.00');
      await one.untilWaiting(1);
      const probes = Array.from({ length: 100 }, async () => await one.get('//health/ready'));
      expect(one.product.telemetry.load.waitingPerConnection('lists')).toBe(0);
      expect(new Set((await Promise.all(probes)).map(({ status }) => status))).toEqual(new Set([200]));
      await holder.query('commit');
      expect((await paying).status).toBe(201);
    } finally {
      await holder.query('rollback');
      holder.release();
    }
  });
});

test('503: a server that is stopping is not ready', async () => {
  const stopping = await startBilling();
  stopping.product.readiness.stop();
  expectProblem(await stopping.get('//health/ready'), 503, 'database_unavailable');
  expect((await stopping.get('//health')).status).toBe(200);
  expect((await stopping.get('/schools')).status).toBe(200);
});
