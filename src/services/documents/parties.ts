import { type Actor, readerOfParts, seesRow } from '../../domain/access/actor.ts';
import type { BilledFamily } from '../../domain/accounts/family.ts';
import type { School } from '../../domain/accounts/school.ts';
import type { Student } from '../../domain/accounts/student.ts';
import type { Invoice } from '../../domain/billing/invoice.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import { accountNotFound } from '../shared/account-not-found.ts';
import type { Sources } from './context.ts';

/** @throws DomainError `student_not_found`, `family_not_found`, `school_not_found` */
export async function partiesOfAccount(
  { unitOfWork }: Sources,
  actor: Actor,
  owner: AccountOwner,
): Promise<{ school: School; student: Student | undefined; family: BilledFamily | undefined }> {
  return await unitOfWork.read(async ({ schools, students, families }) => {
    const student = owner.kind === 'student' ? await students.find(actor, owner.id) : undefined;
    const family = owner.kind === 'family' ? await families.find(actor, owner.id) : undefined;
    const schoolId = owner.kind === 'school' ? owner.id : (student?.schoolId ?? family?.schoolId);
    const school = schoolId === undefined ? undefined : await schools.find(readerOfParts(actor), schoolId);
    if (school === undefined) throw accountNotFound(owner);
    return { school, student, family };
  });
}

/** `family` is who owes it, where one does. */
export async function partiesOfInvoice(
  actor: Actor,
  { students, schools, families }: Repositories,
  { id, studentId, schoolId, familyId }: Invoice,
): Promise<{ student: Student; school: School; family: BilledFamily | undefined }> {
  const reader = readerOfParts(actor);
  const student = await students.find(reader, studentId);
  const school = await schools.find(reader, schoolId);
  if (student === undefined || school === undefined) throw new Error(`invoice ${id} belongs to nobody`);
  const family = familyId === null ? undefined : await families.find(reader, familyId);
  // A student who has gone to another family has left this one the paper, and not how to write to them.
  return { student: seesRow(actor, student) ? student : { ...student, email: null }, school, family };
}
