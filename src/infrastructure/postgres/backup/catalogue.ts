import type pg from 'pg';
import { BackupError } from './errors.ts';

/** A table with rows to keep. */
export type Table = Readonly<{
  name: string;
  /** Those that are stored; what PostgreSQL generates it generates again. */
  columns: readonly string[];
  /** What PostgreSQL believes, for a progress bar. */
  rowsEstimate: number;
}>;

export type Sequence = Readonly<{ name: string; value: string; isCalled: boolean }>;

/** Everything that a backup writes into lines of text. Nothing of ours is named otherwise. */
const NAME = /^[a-z_][a-z0-9_]{0,62}$/;
/** Which migrations are applied is said by the head of a backup: to restore it is to apply them. */
const MIGRATIONS_TABLE = 'schema_migrations';

/**
 * Every table of the schema there is, so also those that a later migration adds: whom a foreign key points to comes
 * before who has it.
 */
export async function readTables(client: pg.ClientBase): Promise<Table[]> {
  const { rows: tables } = await client.query<{ id: string; name: string; columns: string[]; estimate: string }>(
    `select c.oid::text as id, c.relname as name, greatest(c.reltuples, 0)::bigint::text as estimate,
            array_agg(a.attname::text order by a.attnum) as columns
     from pg_class c
     join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
     where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
       and c.relpersistence = 'p' and c.relname <> $1
       and not exists (select from pg_depend d
                       where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
     group by c.oid, c.relname, c.reltuples
     order by c.relname`,
    [MIGRATIONS_TABLE],
  );
  const { rows: references } = await client.query<{ of: string; to: string }>(
    `select conrelid::text as of, confrelid::text as to from (
       select distinct conrelid::oid, confrelid::oid from pg_constraint where contype = 'f' and conrelid <> confrelid
     ) pairs`,
  );
  const ordered: typeof tables = [];
  const waiting = new Set(tables);
  while (waiting.size > 0) {
    const ready = [...waiting].filter(({ id }) =>
      references.every(({ of, to }) => of !== id || ![...waiting].some((other) => other.id === to)),
    );
    if (ready.length === 0) {
      const names = [...waiting].map(({ name }) => name).join(', ');
      throw new BackupError(`These tables refer to each other in a circle, so that none can be filled first: ${names}`);
    }
    for (const table of ready) {
      waiting.delete(table);
      ordered.push(table);
    }
  }
  return ordered.map(({ name, columns, estimate }) => {
    for (const one of [name, ...columns]) assertName(one);
    return { name, columns, rowsEstimate: Number(estimate) };
  });
}

/** Where every sequence stands. @throws BackupError when this role may not see it */
export async function readSequences(client: pg.ClientBase): Promise<Sequence[]> {
  const { rows } = await client.query<{ name: string; value: string; is_called: boolean; is_visible: boolean }>(
    `select sequencename as name, coalesce(last_value, start_value)::text as value, last_value is not null as is_called,
            has_sequence_privilege(format('%I.%I', schemaname, sequencename), 'usage, select') as is_visible
     from pg_sequences where schemaname = current_schema() order by sequencename`,
  );
  return rows.map(({ name, value, is_called: isCalled, is_visible: isVisible }) => {
    if (!isVisible) throw new BackupError(`This role may not see where the sequence ${name} stands.`);
    assertName(name);
    return { name, value, isCalled };
  });
}

/** Names and digests of the applied migrations, in order. */
export async function readApplied(client: pg.ClientBase): Promise<{ name: string; digest: string }[]> {
  const { rows } = await client.query<{ name: string; digest: string }>(
    `select name, digest from ${MIGRATIONS_TABLE} order by name`,
  );
  return rows;
}

/** `"payments"`: safe in a statement, whatever words SQL reserves. */
export function quoted(name: string): string {
  assertName(name);
  return `"${name}"`;
}

function assertName(name: string): void {
  if (!NAME.test(name)) throw new BackupError(`A table, column or sequence has a name that is not expected: ${name}`);
}
