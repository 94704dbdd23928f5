import type { Actor } from '../../domain/access/actor.ts';
import type { PrivacyEvent } from '../../domain/access/people-events.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { ErasedPeople, Subject, TypedTexts } from '../../repositories/access/privacy-repository.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { keepEntry } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { endLinks } from './family-link-service.ts';

/** Why, and what was typed that names the person. */
export type StudentErasure = Readonly<{ reason: string }> & TypedTexts;

const NOBODY: ErasedPeople = { studentId: null, guardianIds: [], familyId: null };
const NOTHING: TypedTexts = { invoiceIds: [], paymentIds: [], creditNoteIds: [] };

/** What people may ask of whoever keeps their data: to be given it, and to be forgotten. */
export class PrivacyService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /**
   * Takes away who a student was: names, e-mail, what was typed on the named documents, and answers that say it. Where no other
   * student is left in the family, its guardians are erased too. What was billed and paid stays as it is.
   *
   * @throws DomainError `student_not_found`, `invoice_not_found`, `payment_not_found`, `credit_note_not_found`, or a refusal of
   *   {@link createOnce}
   */
  async eraseStudent(
    actor: Actor,
    id: number,
    { reason, ...typed }: StudentErasure,
    key: IdempotencyKey | null,
  ): Promise<Outcome<PrivacyEvent>> {
    const now = this.#clock.now();
    const inTransaction = async (repositories: Repositories): Promise<Outcome<PrivacyEvent>> => {
      const { privacy } = repositories;
      const student = await privacy.findStudentForUpdate(actor, id);
      if (student === undefined) throw new DomainError('student_not_found', `Student with id ${id} not found`);
      const changed = await privacy.updateTexts(actor, student, typed, now);
      assertAllTheirs(typed, changed);
      await privacy.updateStudentErased(actor, id, now);
      await privacy.updateEnrolmentTexts(actor, student, now);
      const family = await this.#eraseFamily(actor, repositories, student, now);
      const { schoolId } = student;
      const texts = [...student.texts, ...family.texts];
      await privacy.eraseAnswers({ schoolId, texts }, { ...family, studentId: id }, typed);
      const made = await privacy.insertErasure(
        actor,
        { schoolId: student.schoolId, studentId: id, guardianId: null, reason },
        now,
      );
      const { body, ...facts } = made;
      return { body, event: { type: 'student_erased', ...facts } };
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** @throws DomainError `guardian_not_found`, or a refusal of {@link createOnce} */
  async eraseGuardian(
    actor: Actor,
    id: number,
    reason: string,
    key: IdempotencyKey | null,
  ): Promise<Outcome<PrivacyEvent>> {
    const now = this.#clock.now();
    const inTransaction = async ({ guardians, privacy }: Repositories): Promise<Outcome<PrivacyEvent>> => {
      const found = await guardians.find(actor, id);
      // The family first, as whoever changes a guardian takes it.
      if (found !== undefined) await privacy.findFamilyForUpdate(actor, found);
      const guardian = await privacy.findGuardianForUpdate(actor, id);
      if (guardian === undefined) throw new DomainError('guardian_not_found', `Guardian with id ${id} not found`);
      await privacy.updateGuardianErased(actor, id, now);
      await privacy.updateFamilyOfGuardian(actor, guardian, now);
      await privacy.eraseAnswers(guardian, { ...NOBODY, guardianIds: [id] }, NOTHING);
      const made = await privacy.insertErasure(
        actor,
        { schoolId: guardian.schoolId, studentId: null, guardianId: id, reason },
        now,
      );
      const { body, ...facts } = made;
      return { body, event: { type: 'guardian_erased', ...facts } };
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** All that is stored of a student, as JSON text. That it was given out is an event. @throws DomainError `student_not_found` */
  async personalDataOf(actor: Actor, id: number): Promise<string> {
    const found = await this.#unitOfWork.read(async ({ privacy }) => await privacy.findPersonalData(actor, id));
    if (found === undefined) throw new DomainError('student_not_found', `Student with id ${id} not found`);
    const event = { type: 'personal_data_given', studentId: id, schoolId: found.schoolId } as const;
    const now = this.#clock.now();
    // Before it is given: what could not be kept has not happened.
    await this.#unitOfWork.write(
      async (repositories) => await keepEntry(actor, repositories, { body: '', event }, now),
    );
    announce(this.#log, event);
    return found.body;
  }

  /** What was said of whom was erased with the student. */
  async #eraseFamily(
    actor: Actor,
    repositories: Repositories,
    student: Subject,
    now: Date,
  ): Promise<ErasedPeople & { texts: readonly string[] }> {
    if (student.familyId === null) return { ...NOBODY, texts: [] };
    const { privacy } = repositories;
    // First, and it holds the family: of two of its last students who are erased at once the second sees the first.
    const names = await privacy.findFamilyForUpdate(actor, student);
    if (await privacy.hasStudentsLeft(actor, student)) return { ...NOBODY, texts: [] };
    const guardians = await privacy.listGuardiansForUpdate(actor, student);
    for (const { id } of guardians) await privacy.updateGuardianErased(actor, id, now);
    await privacy.updateFamilyErased(actor, student, now);
    await endLinks(actor, repositories, student.familyId);
    return {
      ...NOBODY,
      guardianIds: guardians.map(({ id }) => id),
      familyId: student.familyId,
      texts: [...guardians.flatMap(({ texts }) => texts), ...names],
    };
  }
}

function assertAllTheirs(
  { invoiceIds, paymentIds, creditNoteIds }: TypedTexts,
  changed: { invoices: number; payments: number; creditNotes: number },
): void {
  const refuse = (code: 'invoice_not_found' | 'payment_not_found' | 'credit_note_not_found', what: string): never => {
    throw new DomainError(code, `Not all of the ${what} are there, and this student's`);
  };
  if (changed.invoices < new Set(invoiceIds).size) refuse('invoice_not_found', 'invoices');
  if (changed.payments < new Set(paymentIds).size) refuse('payment_not_found', 'payments');
  if (changed.creditNotes < new Set(creditNoteIds).size) refuse('credit_note_not_found', 'credit notes');
}
