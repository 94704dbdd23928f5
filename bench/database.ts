import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../src/infrastructure/embedded-postgres/embedded-postgres.ts';
import { migrateUp } from '../src/infrastructure/postgres/migrate.ts';
import { DATA_STEPS, fill, findDrift } from './data.ts';
import { SIZES, type Size } from './options.ts';
import { Progress, say } from './progress.ts';

const HERE = fileURLToPath(new URL('.', import.meta.url));
export const DATA_DIR = join(HERE, '.data');
const MIGRATIONS_DIR = join(HERE, '../migrations');
export type BenchDatabase = Readonly<{
  /** For the role the server runs as. */
  url: string;
  ownerUrl: string;
  /** Process id of the postmaster. */
  pid: number;
  version: string;
}>;

export type BenchCluster = Readonly<{
  /** A fresh copy of the data set, which may be changed: so every run begins with the same rows. */
  open(size: Size): Promise<BenchDatabase>;
  stop(): Promise<void>;
}>;

/** Starts the benchmark's own PostgreSQL, durable as in production. */
export async function openCluster(fresh: boolean): Promise<BenchCluster> {
  if (fresh) rmSync(DATA_DIR, { recursive: true, force: true });
  const cluster = await startEmbeddedPostgres({ dataDir: DATA_DIR, durable: true, onProgress: say });
  return {
    open: async (size) => await openDatabase(cluster, size),
    stop: async () => await cluster.stop(),
  };
}

async function openDatabase(cluster: EmbeddedPostgres, size: Size): Promise<BenchDatabase> {
  const seed = await seedDatabase(cluster, size);
  const name = `bench_${size.toLowerCase()}`;
  const version = await onDatabase(cluster, 'postgres', async (client) => {
    await client.query(`drop database if exists ${name} with (force)`);
    await client.query(`create database ${name} template ${seed} strategy file_copy`);
    await client.query('checkpoint');
    return (await client.query<{ server_version: string }>('show server_version')).rows[0]?.server_version ?? '?';
  });
  return { url: urlOf(cluster.url, name), ownerUrl: urlOf(cluster.ownerUrl, name), pid: cluster.pid, version };
}

/** What the run did to the books; empty when they still balance. */
export async function checkBooks({ ownerUrl }: BenchDatabase): Promise<string[]> {
  return await withClient(ownerUrl, async (client) => await findDrift(client));
}

/** Name of the database that holds the data set, made now unless there is one of these very migrations and this data. */
async function seedDatabase(cluster: EmbeddedPostgres, size: Size): Promise<string> {
  const prefix = `seed_${size.toLowerCase()}_`;
  const name = `${prefix}${fingerprint()}`;
  const existing = await onDatabase(cluster, 'postgres', async (client) => {
    const { rows } = await client.query<{ datname: string }>('select datname from pg_database where datname like $1', [
      `${prefix}%`,
    ]);
    const names = rows.map(({ datname }) => datname);
    for (const old of names.filter((one) => one !== name)) await client.query(`drop database ${old} with (force)`);
    if (names.includes(name)) return true;
    await client.query(`drop database if exists ${prefix}draft with (force)`);
    await client.query(`create database ${prefix}draft`);
    return false;
  });
  if (existing) return name;

  const ownerUrl = urlOf(cluster.ownerUrl, `${prefix}draft`);
  await migrateUp({ url: ownerUrl });
  const progress = new Progress(`Making data set ${size}`, DATA_STEPS);
  const started = performance.now();
  await withClient(ownerUrl, async (client) => {
    await fill(client, SIZES[size], progress);
    const drift = await findDrift(client);
    if (drift.length > 0) throw new Error(`the data set is not consistent:\n${drift.join('\n')}`);
  });
  progress.stop();
  say(`Data set ${size} made in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  // Only a complete data set gets the name that is looked for.
  await onDatabase(
    cluster,
    'postgres',
    async (client) => await client.query(`alter database ${prefix}draft rename to ${name}`),
  );
  return name;
}

/** Changes with anything that the rows or their tables are made by. */
function fingerprint(): string {
  const hash = createHash('sha256').update(readFileSync(join(HERE, 'data.ts')));
  for (const file of readdirSync(MIGRATIONS_DIR)
    .filter((name) => name.endsWith('.up.sql'))
    .sort()) {
    hash.update(readFileSync(join(MIGRATIONS_DIR, file)));
  }
  return hash.digest('hex').slice(0, 12);
}

async function onDatabase<T>(
  { ownerUrl }: EmbeddedPostgres,
  name: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  return await withClient(urlOf(ownerUrl, name), work);
}

/** Work on a connection of its own. */
export async function withClient<T>(connectionString: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(text: string, database: string): string {
  const url = new URL(text);
  url.pathname = `/${database}`;
  return url.href;
}
