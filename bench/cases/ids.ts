import { withClient } from '../database.ts';
import { VARIETY } from './case.ts';

export type Ids = Readonly<{
  schools: number;
  students: number;
  invoices: number;
  open: readonly number[];
  families: readonly FamilyIds[];
}>;

/** A family and ten of its open invoices. */
export type FamilyIds = Readonly<{ id: number; open: readonly number[] }>;

const CURSORS = 40;

export async function readIds(connectionString: string): Promise<Ids> {
  return await withClient(connectionString, async (client) => {
    const counts = await client.query<{ schools: number; students: number; invoices: number }>(`
      select (select count(*) from schools)::int as schools, (select count(*) from students)::int as students,
             (select count(*) from invoices)::int as invoices`);
    const open = await client.query<{ id: number }>(
      "select id::int from invoices where status in ('ISSUED', 'PARTIAL') order by id * 2654435761 % 4294967296 limit $1",
      [VARIETY],
    );
    const families = await client.query<FamilyIds>(`
      select family_id::int as id, (array_agg(id::int order by id))[1:10] as open
      from invoices where family_id is not null and amount_paid + amount_credited < amount_total - 1 and voided_at is null
      group by family_id having count(*) >= 10 order by family_id * 2654435761 % 4294967296`);
    const [row = { schools: 0, students: 0, invoices: 0 }] = counts.rows;
    return { ...row, open: open.rows.map(({ id }) => id), families: families.rows };
  });
}

/** Places all over the list, such as a reader who follows `Link` gets to. */
export async function readCursors(connectionString: string): Promise<[string, number][]> {
  return await withClient(connectionString, async (client) => {
    const { rows } = await client.query<{ time: Date; id: number }>(
      `select created_at as time, id::int from invoices
       where id % ((select count(*) from invoices) / $1) = 7 order by id * 2654435761 % 4294967296`,
      [CURSORS],
    );
    return rows.map(({ time, id }) => [time.toISOString(), id]);
  });
}
