/**
 * What could be had at best, in a process of its own: the same SQL by prepared statements from a bare script, the same
 * SQL behind a bare Fastify route, and a bare Fastify route that sends the same body.
 */
import Fastify from 'fastify';
import pg from 'pg';
import { answerJobs } from './jobs.ts';

/** The SQL of as many different requests as the server gets, as the product's own repositories sent it. */
export type Recording = Readonly<{
  /** With or without `PoolOptions.keepPlans`. */
  statements: readonly Statement[];
  requests: readonly (readonly Call[])[];
}>;
type Statement = Readonly<{ text: string; keepPlan: boolean }>;
/** @property statement its place */
type Call = Readonly<{ statement: number; values: readonly unknown[] }>;

/** First what the routes answer and the script sends, then the script as often as wanted. */
export type LimitJob =
  | Readonly<{ kind: 'prepare'; url: string; body: string; recording: Recording }>
  | Readonly<{ kind: 'sql'; clients: number; seconds: number }>;

/** @property port of the routes */
export type LimitResult = Readonly<{ perSecond: number; port: number }>;

/** Like the product's own pool. More connections than this do not make PostgreSQL faster on a small machine. */
const CONNECTIONS_MAX = 10;
const JSON_TYPE = 'application/json; charset=utf-8';

const app = Fastify();
let pools: Readonly<{ plan: pg.Pool; keepPlan: pg.Pool }> | undefined;
let body = '';
let recording: Recording = { statements: [], requests: [] };
let port = 0;
let at = 0;
const names = new Map<string, string>();

app.get('/body', async (_request, reply) => await reply.type(JSON_TYPE).send(body));
app.get('/sql', async (_request, reply) => {
  at = (at + 1) % recording.requests.length;
  const results = await Promise.all(
    (recording.requests[at] ?? []).map(async (call) => (await poolOf(call)?.query(toQuery(call)))?.rows[0]),
  );
  return await reply.type(JSON_TYPE).send(results.map(toText).join(''));
});

function poolOf(call: Call | undefined): pg.Pool | undefined {
  return call !== undefined && recording.statements[call.statement]?.keepPlan === true ? pools?.keepPlan : pools?.plan;
}

/** The text that PostgreSQL built, where it built one; else the row as JSON. */
function toText(row: object | undefined): string {
  const texts = Object.values(row ?? {}).filter((value) => typeof value === 'string' && /^[[{]/.test(value));
  return texts.length > 0 ? texts.join('') : JSON.stringify(row ?? null);
}

function toQuery({ statement, values }: Call): pg.QueryConfig {
  const text = recording.statements[statement]?.text ?? '';
  let name = names.get(text);
  if (name === undefined) {
    name = `limit-${names.size}`;
    names.set(text, name);
  }
  return { name, text, values: [...values] };
}

function openPools(connectionString: string): { plan: pg.Pool; keepPlan: pg.Pool } {
  const config = { connectionString, max: CONNECTIONS_MAX };
  const options = '-c plan_cache_mode=force_generic_plan';
  return { plan: new pg.Pool(config), keepPlan: new pg.Pool({ ...config, options }) };
}

async function run(job: LimitJob): Promise<LimitResult> {
  if (job.kind === 'prepare') {
    pools ??= openPools(job.url);
    ({ recording, body } = job);
    if (port === 0) port = Number(new URL(await app.listen({ host: '127.0.0.1', port: 0 })).port);
    return { perSecond: 0, port };
  }
  const deadline = performance.now() + job.seconds * 1000;
  const { requests } = recording;
  const counts = await Promise.all(
    Array.from({ length: Math.min(job.clients, CONNECTIONS_MAX) }, async (_, index) => {
      const client = await poolOf(requests[0]?.[0])?.connect();
      let count = 0;
      try {
        for (let next = index * 17; performance.now() < deadline; next++) {
          for (const call of requests[next % requests.length] ?? []) await client?.query(toQuery(call));
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
