import type { Billing } from '../../../support/billing.ts';

/** A digest of every row of every table, by its name, but for when keys were used. */
export async function tablesOf({ owner }: Pick<Billing, 'owner'>): Promise<Record<string, unknown>> {
  const { rows } = await owner.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'public' and tablename <> 'jobs' order by 1",
  );
  const sums: Record<string, unknown> = {};
  for (const { name } of rows) {
    const row = `to_jsonb(t) - 'last_used_at'`;
    const { rows: sum } = await owner.query<{ sum: string }>(
      `select md5(coalesce(string_agg((${row})::text, ' ' order by (${row})::text), '')) as sum from ${name} t`,
    );
    sums[name] = sum[0]?.sum;
  }
  return sums;
}
