import { expect, test } from 'vitest';
import { ANONYMOUS } from '../../../src/domain/access/actor.ts';
import { searchWords } from '../../../src/domain/shared/text.ts';
import { type Statement, sql } from '../../../src/infrastructure/postgres/sql.ts';
import { type FamilyFilter, FamilyRepository } from '../../../src/repositories/accounts/family-repository.ts';
import { startBilling } from '../../support/billing.ts';
import { explain, statementsOf } from '../../support/plans.ts';

const billing = await startBilling();
await billing.owner.query(`
  insert into schools (name, country, currency, name_key)
  select 'Escuela ' || n, 'MX', 'MXN', 'escuela ' || n from generate_series(1, 20) n;
  insert into families (school_id, name, external_id)
  select 1 + n % 20, (array['Núñez', 'Hernández', 'García', 'Li', 'de la O'])[1 + n % 5] || ' ' || md5(n::text), 'F-' || n
  from generate_series(1, 10000) n;
  insert into guardians (school_id, family_id, full_name, email, is_principal)
  select school_id, id, 'María ' || md5('g' || id), id || '@example.com', true from families;
  insert into students (school_id, family_id, first_name, last_name, email)
  select school_id, id, 'Diego', md5('s' || id), null from families`);
await billing.owner.query('vacuum analyze families, guardians, students');

/** The statements of a page and of the count. */
async function askedFor(filter: FamilyFilter): Promise<Statement[]> {
  return await statementsOf(async (recorder) => {
    const families = new FamilyRepository(recorder);
    await families.list(ANONYMOUS, filter, { limit: 100, offset: 0, cursor: null }).catch(() => undefined);
    await families.count(ANONYMOUS, filter);
  });
}

// Without the indexes every family, guardian and student is read, 12 µs each.
test.each(['nunez', 'f-77 maria'])(
  'the search for %j reads the index of each place, whatever plan is kept',
  async (q) => {
    const statements = await askedFor({ words: searchWords(q) });
    expect(statements).toHaveLength(2);
    for (const statement of statements) {
      for (const mode of ['force_custom_plan', 'force_generic_plan'] as const) {
        const plan = (await explain<string>(billing.owner, statement, { mode })).join('\n');
        for (const table of ['families', 'guardians', 'students']) {
          expect(plan).toMatch(new RegExp(`Bitmap Index Scan on ${table}_search_idx`));
        }
      }
    }
  },
);

test('families of a school are read in the order of names from the index', async () => {
  const [page] = await askedFor({ schoolId: 3 });
  const mode = 'force_generic_plan';
  const plan = (await explain<string>(billing.owner, page ?? sql`select`, { mode })).join('\n');
  expect(plan).toMatch(/Index Scan using families_school_name_idx/);
  expect(plan).not.toMatch(/Sort/);
});
