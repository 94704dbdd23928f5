import { expect, test } from 'vitest';
import { rootActor } from '../../../src/domain/access/actor.ts';
import type { Statement } from '../../../src/infrastructure/postgres/sql.ts';
import { AuditRepository } from '../../../src/repositories/access/audit-repository.ts';
import { startBilling } from '../../support/billing.ts';
import { explain, statementsOf } from '../../support/plans.ts';

const billing = await startBilling();
await billing.owner.query(`
  insert into audit_log (at, school_id, principal, action, object)
  select now(), 1 + n % 20, 'key:1', case when n <= 5 then 'invoice_voided' when n % 100 = 0 then 'signed_in'
    else (array['payment_processed', 'invoice_created'])[1 + n % 2] end, 'invoice:' || n
  from generate_series(1, 20000) n`);
await billing.owner.query('vacuum analyze audit_log');

const MODES = ['force_custom_plan', 'force_generic_plan'] as const;

/** The statements of a page and of the count. */
async function askedFor(action: string): Promise<Statement[]> {
  const root = rootActor('root');
  return await statementsOf(async (recorder) => {
    const audit = new AuditRepository(recorder);
    await audit.list(root, { action }, { limit: 100, offset: 0, cursor: null }).catch(() => undefined);
    await audit.count(root, { action });
  });
}

// Without it whoever looks for what nobody did of late reads the log from its end: seconds among millions.
test.each(['invoice_voided', 'signed_in', 'nobody_did'])(
  '%s is found by its action, whatever plan is kept',
  async (action) => {
    const statements = await askedFor(action);
    expect(statements).toHaveLength(2);
    for (const statement of statements) {
      for (const mode of MODES) {
        const plan = (await explain<string>(billing.owner, statement, { mode })).join('\n');
        expect(plan).toMatch(/Index (Only )?Scan( Backward)? using audit_log_action_idx/);
        expect(plan).not.toMatch(/Sort/);
      }
    }
  },
);

test.each(['payment_processed', 'invoice_created'])(
  '%s is in no index of its own, which each would write to',
  async (action) => {
    const { rows } = await billing.owner.query<{ found: number }>(
      `select count(*)::int as found from pg_index i where indrelid = 'audit_log'::regclass and indpred is not null
     and pg_get_expr(indpred, indrelid) like $1`,
      [`%'${action}'%`],
    );
    expect(rows).toEqual([{ found: 1 }]);
    const [page] = await askedFor(action);
    for (const mode of MODES) {
      const plan = page && (await explain<string>(billing.owner, page, { mode })).join('\n');
      expect(plan).toMatch(/Index Scan Backward using audit_log_pkey/);
    }
  },
);
