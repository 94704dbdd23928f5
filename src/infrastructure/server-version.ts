import pg from 'pg';

const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Major version of the PostgreSQL at `url`, such as 18. Says at the same time that it can be reached at all.
 *
 * @throws what the driver throws when it cannot
 */
export async function readServerVersion(url: string): Promise<number> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
    application_name: 'mattilda-billing-probe',
  });
  // The answer to the query tells what there is to tell.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ server_version_num: string }>('show server_version_num');
    return Math.trunc(Number(rows[0]?.server_version_num) / 10_000);
  } finally {
    await client.end();
  }
}
