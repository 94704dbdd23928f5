import { type Actor, seesRow } from '../../domain/access/actor.ts';
import type { StudentEvent } from '../../domain/accounts/events.ts';
import type { NewStudent, StudentChanges } from '../../domain/accounts/student.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import { emailTaken, type StudentFilter } from '../../repositories/accounts/student-repository.ts';
import type { Batched, Batches } from '../../repositories/shared/batches.ts';
import type { Found } from '../../repositories/shared/projection.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { familyNotFound, lockFamily } from '../billing/locks.ts';
import { changeAudited } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

export class StudentService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #find: Batched<number, Found>;

  constructor(dependencies: { unitOfWork: UnitOfWork; batches: Batches; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#find = dependencies.batches.read(async ({ students }, ids) => await students.findEach(ids));
  }

  async list(actor: Actor, filter: StudentFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    return await listing(count, {
      read: async () => await this.#unitOfWork.read(async ({ students }) => await students.list(actor, filter, page)),
      total: async () => await this.#unitOfWork.read(async ({ students }) => await students.count(actor, filter)),
    });
  }

  /** Every student the filter matches. */
  async stream(actor: Actor, filter: StudentFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ students }, batchSize) =>
      students.stream(actor, filter, batchSize),
    );
  }

  /** The student as JSON text, as the API shows it. @throws DomainError `student_not_found` */
  async findJson(actor: Actor, id: number): Promise<string> {
    const found = await this.#find(id);
    if (found === undefined || !seesRow(actor, found)) throw notFound(id);
    return found.body;
  }

  /**
   * Enrols a student. The foreign key decides whether the school is active, so a deactivation at the same moment has
   * either happened before or is refused.
   *
   * @throws DomainError `school_not_found`, `school_not_active`, `family_not_found`, `student_email_taken`,
   *   `student_external_id_taken`, or a refusal of {@link createOnce}
   */
  async create(actor: Actor, student: NewStudent, key: IdempotencyKey | null): Promise<Outcome<StudentEvent>> {
    const now = this.#clock.now();
    try {
      const outcome = await createOnce<StudentEvent>(this.#unitOfWork, {
        actor,
        key,
        now,
        inTransaction: async ({ students }) => {
          const made = await students.insert(actor, student, now);
          if (made === undefined) throw emailTaken(student.email ?? '');
          const { body, ...facts } = made;
          return { body, event: { type: 'student_created', ...facts } };
        },
      });
      announce(this.#log, outcome.event);
      return outcome;
    } catch (error) {
      if (error instanceof DomainError) await this.#refuseInOrder(actor, student, error);
      throw error;
    }
  }

  /**
   * Changes what `changes` names; nothing at all when it names nothing. A family that a student comes to owes its invoices
   * from then on, and takes over those that are no family's, with the payments on them.
   *
   * @throws DomainError `student_not_found`, `family_not_found`, `student_email_taken`, `student_external_id_taken`
   */
  async update(actor: Actor, id: number, changes: StudentChanges): Promise<Outcome<StudentEvent>> {
    if (Object.keys(changes).length === 0) return { body: await this.findJson(actor, id) };
    const now = this.#clock.now();
    const { familyId } = changes;
    const outcome = await changeAudited<StudentEvent>(this.#unitOfWork, { actor, now }, async (repositories) => {
      const { students } = repositories;
      if (familyId != null) await bringToFamily(actor, repositories, { studentId: id, familyId }, now);
      const before = await students.findJsonForUpdate(actor, id);
      const after = await students.update(actor, id, changes, now);
      if (before === undefined || after === undefined) throw notFound(id);
      const { body, ...facts } = after;
      return { before, body, event: { type: 'student_updated', ...facts } };
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** @throws DomainError `student_not_found`, `student_has_invoices`, `student_in_use` */
  async delete(actor: Actor, id: number): Promise<StudentEvent> {
    const now = this.#clock.now();
    const { event } = await changeAudited(this.#unitOfWork, { actor, now }, async ({ students }) => {
      // Held as a deletion holds it: who bills the student at this moment comes before or after.
      await students.findForUpdate(actor, id);
      const before = await students.findJsonForUpdate(actor, id);
      const facts = await students.delete(actor, id);
      if (before === undefined || facts === undefined) throw notFound(id);
      return { before, body: '', event: { type: 'student_deleted', ...facts } as const };
    });
    announce(this.#log, event);
    return event;
  }

  /**
   * The order of refusals: a school that does not exist, a family that does not, what is taken, an inactive school.
   * PostgreSQL looks at what is taken first, and does not tell a school that is inactive from one that is not there.
   */
  async #refuseInOrder(actor: Actor, { schoolId, familyId }: NewStudent, refusal: DomainError): Promise<void> {
    if (!REFUSALS_AFTER_EXISTENCE.has(refusal.code)) return;
    const { school, family } = await this.#unitOfWork.read(async ({ schools, families }) => ({
      school: await schools.find(actor, schoolId),
      family: familyId === null ? undefined : (await families.findEach([familyId]))[0],
    }));
    if (school === undefined) throw new DomainError('school_not_found', `School with id ${schoolId} not found`);
    if (familyId !== null && family?.schoolId !== schoolId) throw familyNotFound(familyId);
    if (refusal.code === 'school_not_active' && !school.isActive) {
      throw new DomainError('school_not_active', `School with id ${schoolId} is not active`);
    }
  }
}

const REFUSALS_AFTER_EXISTENCE: ReadonlySet<string> = new Set([
  'family_not_found',
  'student_email_taken',
  'student_external_id_taken',
  'school_not_active',
]);

/**
 * Gives a family what was billed to a student that is no family's. The student is held first: whoever bills it holds it as
 * well, so its invoice is either here or the family's from the beginning (docs/decisions/0047).
 *
 * @throws DomainError `student_not_found`, `family_not_found`
 */
async function bringToFamily(
  actor: Actor,
  repositories: Repositories,
  { studentId, familyId }: Readonly<{ studentId: number; familyId: number }>,
  now: Date,
): Promise<void> {
  const { students, families } = repositories;
  const student = await students.findForUpdate(actor, studentId);
  if (student === undefined) throw notFound(studentId);
  const family = await lockFamily(actor, repositories, familyId);
  if (family.schoolId !== student.schoolId) throw familyNotFound(familyId);
  const invoiceIds = await families.listInvoicesOfNoneForUpdate(actor, studentId);
  if (invoiceIds.length > 0) await families.updateInvoicesOfNone(actor, family, invoiceIds, now);
}

function notFound(id: number): DomainError {
  return new DomainError('student_not_found', `Student with id ${id} not found`);
}
