import type { Billing, Json } from '../../support/billing.ts';

export type TestFamily = Readonly<{
  id: number;
  schoolId: number;
  studentId: number;
  aStudent: () => Promise<number>;
  anInvoice: (fields: Json & { student_id?: number }) => Promise<number>;
  credit: () => Promise<string>;
}>;

/** A family of one student in a school of its own, or in the one that is given. */
export async function aFamily(
  billing: Billing,
  { schoolId, autoApply = true }: { schoolId?: number; autoApply?: boolean } = {},
): Promise<TestFamily> {
  const school = schoolId ?? (await billing.aSchool());
  const { rows } = await billing.owner.query<{ id: string }>(
    'insert into families (school_id, name, auto_apply) values ($1, $2, $3) returning id',
    [school, 'Núñez', autoApply],
  );
  const id = Number(rows[0]?.id);
  const aStudent = async (): Promise<number> => {
    const student = await billing.aStudent({ school_id: school });
    await billing.owner.query('update students set family_id = $1 where id = $2', [id, student]);
    return student;
  };
  const studentId = await aStudent();
  return {
    id,
    schoolId: school,
    studentId,
    aStudent,
    anInvoice: async (fields) => await billing.anInvoice({ student_id: studentId, ...fields }),
    credit: async () => {
      const found = await billing.owner.query<{ credit: string }>('select credit from families where id = $1', [id]);
      return found.rows[0]?.credit ?? '';
    },
  };
}
