import { expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();

/** What a payment, its reversal or a credit note writes on an invoice. */
const WRITTEN_BY_A_PAYMENT = ['amount_paid', 'amount_credited', 'status', 'updated_at'];

test('no index of invoices holds what a payment changes, so none has to be written', async () => {
  const { rows } = await billing.owner.query<{ name: string; definition: string }>(
    "select indexname as name, indexdef as definition from pg_indexes where tablename = 'invoices'",
  );
  expect(rows.length).toBeGreaterThan(5);
  const holding = rows.filter(({ definition }) =>
    WRITTEN_BY_A_PAYMENT.some((column) => new RegExp(`\\b${column}\\b`).test(definition)),
  );
  expect(holding.map(({ name }) => name)).toEqual([]);
});

test('PostgreSQL changes a paid invoice in place', async () => {
  const invoice = await billing.anInvoice({ amount_total: '100.00' });
  for (let n = 0; n < 10; n++) await billing.aPayment(invoice, '10.00');

  // What a backend counted it reports at the latest when it ends; one with nothing to do keeps it for ten seconds.
  await billing.owner.query(`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`);
  await expect
    .poll(
      async () => {
        const { rows } = await billing.owner.query<{ updated: number; hot: number }>(
          "select n_tup_upd::int as updated, n_tup_hot_upd::int as hot from pg_stat_user_tables where relname = 'invoices'",
        );
        return rows[0];
      },
      { timeout: 20_000 },
    )
    .toEqual({ updated: 10, hot: 10 });
});
