import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { SEQUENCES, TABLES_WITH_IDS } from '../../shared/sequence-repository.ts';
import { COLUMNS_NOT_NULL, CONSTRAINTS } from './constraints.ts';
import { findingsIn, type Step, walk } from './walk.ts';

type Part = Readonly<{ kind: 'constraint' | 'column' | 'sequence'; of: string; name: string }>;

const SEQUENCES_OF = Object.keys(TABLES_WITH_IDS);

const PARTS: readonly Part[] = [
  ...partsOf('constraint', CONSTRAINTS),
  ...partsOf('column', COLUMNS_NOT_NULL),
  ...SEQUENCES_OF.map((of): Part => ({ kind: 'sequence', of, name: `${of}_id_seq` })),
];

export const PARTS_COUNT = PARTS.length;

function partsOf(kind: Part['kind'], tables: Readonly<Record<string, string>>): Part[] {
  return Object.entries(tables).flatMap(([of, names]) =>
    names
      .trim()
      .split(/\s+/)
      .map((name): Part => ({ kind, of, name })),
  );
}

/**
 * What holds the rows together: constraints, indexes that make unique, the trigger, columns that are never null, and the
 * sequences of ids. Whether each is there and at work; what one says is not compared, because PostgreSQL writes it anew in
 * each of its versions.
 */
export function walkStructure({ after, limit }: Step): Statement {
  const [n = 0] = after ?? [];
  const column = (of: (part: Part) => string): string[] => PARTS.map(of);
  return walk(
    sql`
      select n, kind, of, name, to_regclass(of) as oid
      from unnest(${column(({ kind }) => kind)}::text[], ${column(({ of }) => of)}::text[],
                  ${column(({ name }) => name)}::text[]) with ordinality part (kind, of, name, n)
      where n > ${n}::bigint order by n limit ${limit}`,
    sql`select json_build_array(max(n)) from batch having count(*) > 0`,
    findingsIn(
      sql`
        batch b
        left join lateral (${ENFORCEMENT}) it on true
        left join (${SEQUENCES}) s on b.kind = 'sequence' and s.sequence = b.name`,
      sql`case kind when 'sequence' then json_build_object('sequence', b.name)
                    else json_build_object('table', of, 'constraint', b.name) end`,
      [
        { code: 'constraint_missing', isWrong: sql`(kind <> 'sequence' and it.flaw is null)` },
        { code: 'constraint_not_enforced', isWrong: sql`it.flaw <> ''`, stored: sql`it.flaw` },
        {
          code: 'sequence_behind',
          isWrong: sql`s.behind > 0`,
          stored: sql`s.last`,
          expected: sql`'at least ' || s.highest`,
        },
      ],
    ),
  );
}

/** Of a part that is there, what keeps it from its work: empty when nothing does. Foreign keys are held by triggers. */
const ENFORCEMENT = sql`
  select case when not c.convalidated then 'not validated'
              when exists (select from pg_trigger t where t.tgconstraint = c.oid and t.tgenabled not in ('O', 'A'))
              then 'its triggers are disabled' else '' end as flaw
  from pg_constraint c
  where b.kind = 'constraint' and c.conrelid = b.oid and c.conname = b.name
  union all
  select case when not (i.indisvalid and i.indisready) then 'the index is not valid' when not i.indisunique
              then 'the index is not unique' else '' end
  from pg_index i
  where b.kind = 'constraint' and i.indrelid = b.oid and i.indexrelid = to_regclass(b.name)
    and not exists (select from pg_constraint c where c.conindid = i.indexrelid and c.conrelid = i.indrelid)
  union all
  select case when t.tgenabled not in ('O', 'A') then 'the trigger is disabled' else '' end
  from pg_trigger t
  where b.kind = 'constraint' and t.tgrelid = b.oid and t.tgname = b.name and not t.tgisinternal
  union all
  select '' from pg_attribute a
  where b.kind = 'column' and a.attrelid = b.oid and a.attname = b.name and a.attnotnull`;
