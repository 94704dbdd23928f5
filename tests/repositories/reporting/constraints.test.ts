import { expect, test } from 'vitest';
import { COLUMNS_NOT_NULL, CONSTRAINTS } from '../../../src/repositories/reporting/reconciliation/constraints.ts';
import { startBilling } from '../../support/billing.ts';

const billing = await startBilling();

const IN_CATALOGUE = `
  select conrelid::regclass::text || ' ' || conname as line from pg_constraint
  where connamespace = 'public'::regnamespace and contype in ('c', 'f', 'p', 'u', 'x')
  union all
  select indrelid::regclass || ' ' || indexrelid::regclass from pg_index i join pg_class c on c.oid = i.indexrelid
  where indisunique and c.relnamespace = 'public'::regnamespace
    and not exists (select from pg_constraint where conindid = i.indexrelid)
  union all
  select tgrelid::regclass || ' ' || tgname from pg_trigger where not tgisinternal`;

const NOT_NULL_IN_CATALOGUE = `
  select attrelid::regclass || ' ' || attname as line from pg_attribute a join pg_class c on c.oid = a.attrelid
  where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and attnum > 0 and not attisdropped and attnotnull`;

// Whoever adds a table or a constraint adds it to the lists, or the check would not miss it.
test.each([
  ['CONSTRAINTS', CONSTRAINTS, IN_CATALOGUE],
  ['COLUMNS_NOT_NULL', COLUMNS_NOT_NULL, NOT_NULL_IN_CATALOGUE],
] as const)('%s of the check are those of a database that was just migrated', async (_, known, catalogue) => {
  const lines = Object.entries(known).flatMap(([table, names]) =>
    names
      .trim()
      .split(/\s+/)
      .map((name) => `${table} ${name}`),
  );
  const { rows } = await billing.owner.query<{ line: string }>(catalogue);
  const made = rows.map(({ line }) => line).filter((line) => !line.startsWith('schema_migrations '));
  expect(lines.sort()).toEqual(made.sort());
});
