import { expect, test } from 'vitest';
import { sql, textOf } from '../../../src/infrastructure/postgres/sql.ts';
import { IS_FREE } from '../../../src/repositories/shared/idempotency-keys.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();

// A plan is kept for as long as PostgreSQL knows no better, which it learns a minute after thousands of keys have come.
test('keys are looked for in their index, by a plan for any number of them made while there are none', async () => {
  const asked = sql`unnest(${[]}::text[], ${[]}::text[]) asked (credential, key)`;
  const client = await billing.owner.connect();
  try {
    await client.query('set plan_cache_mode = force_generic_plan');
    await client.query(`prepare look as ${textOf(sql`select ${IS_FREE} from ${asked}`)}`);
    const { rows } = await client.query<{ 'QUERY PLAN': string }>("explain execute look ('{a,b}', '{c,d}')");
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    expect(plan).toMatch(/Index (Only )?Scan using idempotency_keys_pkey/);
    expect(plan).not.toContain('Seq Scan');
  } finally {
    client.release(true);
  }
});
