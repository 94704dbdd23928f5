import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { studentBody } from '../../support/factories.ts';
import { IS_POOLED } from '../../support/postgres-server.ts';
import { expectProblem } from '../../support/problem.ts';

const READY_WITHIN_MS = 5_000;

const billing = await startBilling();

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
      const answer = await billing.get('//health/ready');
      expectProblem(answer, 503, 'database_unavailable');
      expect(answer.headers['retry-after']).toBe('2');
      expect(answer.body['detail']).toBe('The database has not been migrated to this version');
    } finally {
      const columns = Object.keys(newest);
      const places = columns.map((_, index) => `$${index + 1}`).join(', ');
      const into = `insert into schema_migrations (${columns.join(', ')}) values (${places})`;
      await billing.owner.query(into, Object.values(newest));
    }
    expect((await billing.get('//health/ready')).status).toBe(200);
  });

  test('503: the schema is not there', async () => {
    await billing.owner.query('alter table schema_migrations rename to elsewhere');
    try {
      expectProblem(await billing.get('//health/ready'), 503, 'database_unavailable');
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
      expectProblem(await billing.get('//health/ready'), 503, 'database_unavailable');
      const read = await billing.get('/schools');
      expectProblem(read, 503, 'database_unavailable');
      expect(read.headers['retry-after']).toBe('2');
      expect((await billing.get('//health')).status).toBe(200);
    } finally {
      await billing.owner.query(`grant connect on database ${name} to public`);
    }
    const ready = async (): Promise<number> => (await billing.get('//health/ready')).status;
    // A pooler may still be busy with the login that was refused. Without one it is ready at once.
    if (IS_POOLED) await expect.poll(ready, { timeout: READY_WITHIN_MS }).toBe(200);
    expect(await ready()).toBe(200);
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
  expect((await billing.get('//health/ready')).status).toBe(200);
  expect(counted('database_disk_freed')).toBe(1);
});

test('503: a server that is stopping is not ready', async () => {
  const stopping = await startBilling();
  stopping.product.readiness.stop();
  expectProblem(await stopping.get('//health/ready'), 503, 'database_unavailable');
  expect((await stopping.get('//health')).status).toBe(200);
  expect((await stopping.get('/schools')).status).toBe(200);
});
