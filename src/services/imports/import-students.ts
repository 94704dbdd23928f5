import type { Actor } from '../../domain/access/actor.ts';
import { readStudent, STUDENT_COLUMNS, type StudentRow } from '../../domain/imports/students.ts';
import type { ImportedStudent } from '../../repositories/imports/student-import-repository.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import type { ImportRun, ImportSource } from './import-file.ts';

/** An import into one school, at one moment. */
export type ImportContext = Readonly<{ actor: Actor; schoolId: number; currency: string; now: Date }>;

/** Students by their external ids, and their enrolments. */
export async function importStudents(
  run: ImportRun,
  source: ImportSource,
  { studentImports }: Repositories,
  { actor, schoolId, now }: ImportContext,
): Promise<void> {
  const seen = { externalIds: new Map<string, number>(), emails: new Map<string, number>() };
  const periods = new Map((await studentImports.listPeriods(actor, schoolId)).map((period) => [period.name, period]));

  await run.over(source, STUDENT_COLUMNS, readStudent, async (rows) => {
    for (const row of rows) {
      refuseRepeated(run, row, seen);
      refuseEnrolment(run, row, periods);
    }
    const asked = rows.flatMap(({ email, externalId }) => (email == null ? [] : [{ email, externalId }]));
    const taken = new Set(await studentImports.listTakenEmails(actor, schoolId, asked));
    for (const { line, email } of rows) {
      if (email == null || !taken.has(email)) continue;
      run.refuse({ line, column: 'email', code: 'email_taken', detail: 'another student has it' });
    }

    const right = rows.filter((row) => !run.isWrong(row));
    const externalIds = right.map(({ externalId }) => externalId);
    const before = new Map(
      (await studentImports.listForUpdate(actor, schoolId, externalIds)).map((one) => [one.externalId, one]),
    );
    const fresh = right.filter(({ externalId }) => !before.has(externalId));
    const made = await studentImports.insertMany(
      actor,
      schoolId,
      fresh.map(({ externalId, firstName, lastName, email = null }) => ({ externalId, firstName, lastName, email })),
      now,
    );
    const changed = right.flatMap((row) => {
      const student = before.get(row.externalId);
      return student === undefined || !differs(student, row) ? [] : [after(student, row)];
    });
    await studentImports.updateMany(actor, schoolId, changed, now);

    const ids = new Map([...before.values(), ...made].map(({ externalId, id }) => [externalId, id]));
    const enrolled = await studentImports.upsertEnrolments(
      actor,
      schoolId,
      right.flatMap(({ externalId, enrolment }) => {
        const period = enrolment === null ? undefined : periods.get(enrolment.period);
        const studentId = ids.get(externalId);
        if (enrolment === null || period === undefined || studentId === undefined) return [];
        return [{ ...enrolment, studentId, periodId: period.id, periodStartsOn: period.startsOn }];
      }),
      now,
    );
    const written = new Set([...changed.map(({ id }) => id), ...enrolled]);
    const updated = [...before.values()].filter(({ id }) => written.has(id)).length;
    run.count('created', made.length);
    run.count('updated', updated);
    run.count('unchanged', before.size - updated);
  });
}

type Seen = Readonly<{ externalIds: Map<string, number>; emails: Map<string, number> }>;

function refuseRepeated(run: ImportRun, { line, externalId, email }: StudentRow, seen: Seen): void {
  for (const [column, text, lines] of [
    ['external_id', externalId, seen.externalIds],
    ['email', email, seen.emails],
  ] as const) {
    if (text == null) continue;
    const first = lines.get(text);
    if (first === undefined) lines.set(text, line);
    else run.refuse({ line, column, code: 'repeated', detail: `is that of line ${first}` });
  }
}

function refuseEnrolment(
  run: ImportRun,
  { line, enrolment }: StudentRow,
  periods: ReadonlyMap<string, Readonly<{ startsOn: string; endsOn: string }>>,
): void {
  if (enrolment === null) return;
  const period = periods.get(enrolment.period);
  if (period === undefined) {
    run.refuse({ line, column: 'period', code: 'not_found', detail: 'the school has no period of this name' });
    return;
  }
  const { startsOn } = enrolment;
  if (startsOn === null || (startsOn >= period.startsOn && startsOn <= period.endsOn)) return;
  const detail = `must be in the period, ${period.startsOn} to ${period.endsOn}`;
  run.refuse({ line, column: 'starts_on', code: 'day_out_of_range', detail });
}

function differs(student: ImportedStudent, row: StudentRow): boolean {
  const { firstName, lastName, email } = after(student, row);
  return firstName !== student.firstName || lastName !== student.lastName || email !== student.email;
}

function after(
  { id, email: before }: ImportedStudent,
  { firstName, lastName, email }: StudentRow,
): Readonly<{ id: number; firstName: string; lastName: string; email: string | null }> {
  return { id, firstName, lastName, email: email === undefined ? before : email };
}
