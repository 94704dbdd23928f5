import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { indexOf, type Migration, MigrationError, readMigrations } from './migration-files.ts';

export type MigrationState = Readonly<{
  name: string;
  appliedAt: Date | null;
  /** The file has been edited since it was applied, or is gone. */
  drift: 'changed' | 'missing' | null;
}>;

/** What is to be known of a database before work on it. */
export type DatabaseState = Readonly<{
  /** Major version of PostgreSQL, such as 18. */
  serverVersion: number;
  /** Every migration there is or was, in order. */
  migrations: readonly MigrationState[];
}>;

type AppliedRow = { name: string; digest: string; applied_at: Date };

export type MigrateOptions = Readonly<{
  url: string;
  directory?: string;
  onProgress?: (message: string) => void;
}>;

/** For looking, which should take a moment. Work on tables takes as long as it takes. */
const LOOK_TIMEOUT_MS = 5_000;
/** Any number will do, as long as every starter uses the same. */
const LOCK_KEY = 7_245_001;
/**
 * A statement that waits longer for a table gives way: whoever queues behind it would wait as long. Shorter by far than
 * the second after which PostgreSQL looks for deadlocks, so that in one it is the migration that begins again.
 */
const LOCK_TIMEOUT_MS = 200;
const LOCK_ATTEMPTS_MAX = 75;
const LOCK_RETRY_MS = 500;
const STARTER_POLL_MS = 50;
const STARTER_WAIT_MAX_MS = 60 * 60 * 1_000;
const NO_TRANSACTION = '-- migrate:no-transaction';
const NEXT = /^-- migrate:next$/m;
/** Such a statement waits for transactions that are older than it, and nobody waits for it. It cannot just be repeated. */
const CONCURRENTLY = /^(create|drop)( unique)? index concurrently\b/im;

/** Applies what is missing, in order. Many may start at once: one works, the others wait and find nothing left to do. */
export async function migrateUp(options: MigrateOptions & { to?: string }): Promise<string[]> {
  const migrations = await readMigrations(options.directory);
  const last = options.to === undefined ? migrations.length : indexOf(migrations, options.to) + 1;
  return await withLock(options, async (client) => {
    const applied = await readApplied(client);
    refuseDrift(migrations, applied);
    const missing = migrations.slice(0, last).filter(({ name }) => !applied.some((row) => row.name === name));
    for (const migration of missing) {
      options.onProgress?.(`applying ${migration.name}`);
      await apply(client, migration, 'up', options.onProgress);
    }
    return missing.map(({ name }) => name);
  });
}

/** Takes back the newest `steps` migrations, newest first. */
export async function migrateDown(options: MigrateOptions & { steps: number }): Promise<string[]> {
  const migrations = await readMigrations(options.directory);
  return await withLock(options, async (client) => {
    const applied = await readApplied(client);
    const names = applied
      .map(({ name }) => name)
      .reverse()
      .slice(0, options.steps);
    for (const name of names) {
      const migration = migrations.find((one) => one.name === name);
      if (migration === undefined) {
        throw new MigrationError(
          `${name} is applied, and this version has no file to take it back: another version, which has it, applied it.\n` +
            'Take it back with that one. If what it did is undone by hand, or does no harm, strike it off the list: ' +
            `mattilda-billing migrate forget ${name}`,
        );
      }
      options.onProgress?.(`taking back ${name}`);
      await apply(client, migration, 'down', options.onProgress);
    }
    return names;
  });
}

/**
 * Strikes an applied migration whose file is gone off the list. What it did to the schema stays.
 *
 * @throws MigrationError when it is not applied, or can be taken back
 */
export async function migrateForget(options: MigrateOptions & { name: string }): Promise<void> {
  const { name } = options;
  const migrations = await readMigrations(options.directory);
  await withLock(options, async (client) => {
    if (migrations.some((one) => one.name === name)) {
      throw new MigrationError(`${name} has a file: it can be taken back with migrate down`);
    }
    const { rowCount } = await client.query('delete from schema_migrations where name = $1', [name]);
    if (rowCount === 0) throw new MigrationError(`${name} is not applied`);
  });
}

/**
 * Looks at a database over one connection. Changes nothing, and needs no table of its own to be there.
 *
 * @throws what the driver throws when it cannot be reached
 */
export async function readDatabaseState({ url, directory }: MigrateOptions): Promise<DatabaseState> {
  const migrations = await readMigrations(directory);
  return await withClient(
    { connectionString: url, connectionTimeoutMillis: LOOK_TIMEOUT_MS, query_timeout: LOOK_TIMEOUT_MS },
    async (client) => {
      const { rows } = await client.query<{ server_version_num: string; known: boolean }>(
        `select current_setting('server_version_num') as server_version_num,
                to_regclass('schema_migrations') is not null as known`,
      );
      const applied = rows[0]?.known === true ? await readApplied(client) : [];
      return {
        serverVersion: Math.trunc(Number(rows[0]?.server_version_num) / 10_000),
        migrations: statesOf(migrations, applied),
      };
    },
  );
}

/** Lets no migration begin for as long as the connection lives. Waits for one that is under way. */
export async function holdMigrations(client: pg.Client): Promise<void> {
  await waitForLock(client, 'pg_try_advisory_lock_shared');
}

function statesOf(migrations: readonly Migration[], applied: readonly AppliedRow[]): MigrationState[] {
  const files = migrations.map(({ name, digest }): MigrationState => {
    const row = applied.find((one) => one.name === name);
    return {
      name,
      appliedAt: row?.applied_at ?? null,
      drift: row !== undefined && row.digest !== digest ? 'changed' : null,
    };
  });
  const gone = applied.filter((row) => !migrations.some(({ name }) => name === row.name));
  return [
    ...files,
    ...gone.map(({ name, applied_at }): MigrationState => ({ name, appliedAt: applied_at, drift: 'missing' })),
  ];
}

function refuseDrift(migrations: readonly Migration[], applied: readonly AppliedRow[]): void {
  for (const { name, digest } of applied) {
    const file = migrations.find((one) => one.name === name);
    if (file !== undefined && file.digest !== digest) {
      throw new MigrationError(`${name} was edited after it was applied; write a new migration instead`);
    }
  }
}

async function readApplied(client: pg.Client): Promise<AppliedRow[]> {
  const { rows } = await client.query<AppliedRow>(
    'select name, digest, applied_at from schema_migrations order by name',
  );
  return rows;
}

/** Holds the lock on a connection of its own, and the table of applied migrations ready. */
async function withLock<T>({ url }: MigrateOptions, work: (client: pg.Client) => Promise<T>): Promise<T> {
  return await withClient({ connectionString: url }, async (client) => {
    await waitForLock(client);
    await client.query(`
      create table if not exists schema_migrations (
        name        text        not null,
        digest      text        not null,
        applied_at  timestamptz not null default now(),
        constraint schema_migrations_pkey primary key (name)
      )`);
    await setLockTimeout(client, LOCK_TIMEOUT_MS);
    // The lock goes with the connection.
    return await work(client);
  });
}

/**
 * Asks again and again instead of waiting inside PostgreSQL: a waiting SELECT keeps a snapshot, and CREATE INDEX
 * CONCURRENTLY in the migration it waits for would wait for that snapshot in turn.
 */
async function waitForLock(
  client: pg.Client,
  lock: 'pg_try_advisory_lock' | 'pg_try_advisory_lock_shared' = 'pg_try_advisory_lock',
): Promise<void> {
  const deadline = Date.now() + STARTER_WAIT_MAX_MS;
  for (;;) {
    const { rows } = await client.query<{ locked: boolean }>(`select ${lock}($1) as locked`, [LOCK_KEY]);
    if (rows[0]?.locked === true) return;
    if (Date.now() > deadline)
      throw new MigrationError('another process has been migrating, or backing up, this database for too long');
    await setTimeout(STARTER_POLL_MS);
  }
}

async function withClient<T>(config: pg.ClientConfig, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...config, application_name: 'mattilda-billing-migrate' });
  client.on('error', () => undefined);
  client.on('notice', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function apply(
  client: pg.Client,
  { name, up, down, digest }: Migration,
  way: 'up' | 'down',
  onProgress: MigrateOptions['onProgress'],
): Promise<void> {
  const text = way === 'up' ? up : down;
  const record =
    way === 'up'
      ? { text: 'insert into schema_migrations (name, digest) values ($1, $2)', values: [name, digest] }
      : { text: 'delete from schema_migrations where name = $1', values: [name] };
  if (!text.startsWith(NO_TRANSACTION)) {
    await retryLocked(onProgress, async () => {
      await client.query('begin');
      try {
        await client.query(text);
        await client.query(record);
        await grantRead(client);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw error;
      }
    });
    return;
  }
  // Each part commits by itself and can run again, so a migration cut short goes on where it was.
  for (const part of text.split(NEXT)) {
    await setLockTimeout(client, CONCURRENTLY.test(part) ? 0 : LOCK_TIMEOUT_MS);
    await retryLocked(onProgress, async () => await client.query(part));
  }
  await setLockTimeout(client, LOCK_TIMEOUT_MS);
  await client.query(record);
}

/** @param ms 0 is no limit */
async function setLockTimeout(client: pg.Client, ms: number): Promise<void> {
  await client.query(`set lock_timeout = ${ms}`);
}

/** The server, which runs with fewer rights, looks here to see whether the schema is the one it knows. */
async function grantRead(client: pg.Client): Promise<void> {
  await client.query(`
    do $$ begin
      if exists (select from pg_roles where rolname = 'mattilda_app') then
        grant select on schema_migrations to mattilda_app;
      end if;
    end $$`);
}

async function retryLocked(onProgress: MigrateOptions['onProgress'], run: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await run();
      return;
    } catch (error) {
      const isLocked = error instanceof Error && 'code' in error && error.code === '55P03';
      if (!isLocked || attempt === LOCK_ATTEMPTS_MAX) throw error;
      onProgress?.(`a table is in use; trying again (${attempt} of ${LOCK_ATTEMPTS_MAX})`);
      await setTimeout(LOCK_RETRY_MS);
    }
  }
}
