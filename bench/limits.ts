/**
 * What could be had at best, in a process of its own: the same SQL by prepared statements from a bare script, the same
 * SQL behind a bare Fastify route, and a bare Fastify route that sends the same body.
 */
import Fastify from 'fastify';
import pg from 'pg';
import { answerJobs } from './jobs.ts';

/** One request's worth of SQL, as the product's own repositories sent it. */
export type Recorded = readonly Readonly<{ text: string; values: readonly unknown[] }>[];

export type LimitJob =
  | Readonly<{ kind: 'sql'; url: string; clients: number; seconds: number; recorded: readonly Recorded[] }>
  | Readonly<{ kind: 'routes'; url: string; body: string; recorded: readonly Recorded[] }>;

export type LimitResult = Readonly<{ perSecond: number; port: number }>;

/** Like the product's own pool. More connections than this do not make PostgreSQL faster on a small machine. */
const CONNECTIONS_MAX = 10;
const JSON_TYPE = 'application/json; charset=utf-8';

const app = Fastify();
let pool: pg.Pool | undefined;
let route: { body: string; recorded: readonly Recorded[] } = { body: '', recorded: [] };
let port = 0;
let at = 0;
const names = new Map<string, string>();

app.get('/body', async (_request, reply) => await reply.type(JSON_TYPE).send(route.body));
app.get('/sql', async (_request, reply) => {
  at = (at + 1) % route.recorded.length;
  const results = await Promise.all(
    (route.recorded[at] ?? []).map(async (statement) => (await pool?.query(toQuery(statement)))?.rows[0]),
  );
  return await reply.type(JSON_TYPE).send(results.map(toText).join(''));
});

/** The text that PostgreSQL built, where it built one; else the row as JSON. */
function toText(row: object | undefined): string {
  const texts = Object.values(row ?? {}).filter((value) => typeof value === 'string' && /^[[{]/.test(value));
  return texts.length > 0 ? texts.join('') : JSON.stringify(row ?? null);
}

function toQuery({ text, values }: Recorded[number]): pg.QueryConfig {
  let name = names.get(text);
  if (name === undefined) {
    name = `limit-${names.size}`;
    names.set(text, name);
  }
  return { name, text, values: [...values] };
}

async function run(job: LimitJob): Promise<LimitResult> {
  pool ??= new pg.Pool({ connectionString: job.url, max: CONNECTIONS_MAX });
  if (job.kind === 'routes') {
    route = { body: job.body, recorded: job.recorded };
    if (port === 0) port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port);
    return { perSecond: 0, port };
  }
  const deadline = performance.now() + job.seconds * 1000;
  const { recorded } = job;
  const counts = await Promise.all(
    Array.from({ length: Math.min(job.clients, CONNECTIONS_MAX) }, async (_, index) => {
      const client = await pool?.connect();
      let count = 0;
      try {
        for (let next = index * 17; performance.now() < deadline; next++) {
          for (const statement of recorded[next % recorded.length] ?? []) await client?.query(toQuery(statement));
          count += 1;
        }
      } finally {
        client?.release();
      }
      return count;
    }),
  );
  return { perSecond: counts.reduce((sum, count) => sum + count, 0) / job.seconds, port };
}

answerJobs(run);
