import type { NewStudent, Student, StudentChanges } from '../../domain/accounts/student.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { CountMode, PageRequest } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import { emailTaken, type StudentFilter } from '../../repositories/accounts/student-repository.ts';
import type { Batched, Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { type Created, type Creation, createOnce } from '../shared/idempotency.ts';
import { type Listing, listing, openRows, type Rows } from '../shared/listing.ts';

export class StudentService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #findJson: Batched<number, string>;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#findJson = dependencies.unitOfWork.batchedRead(async ({ students }, ids) => await students.findManyJson(ids));
  }

  async list(filter: StudentFilter, page: PageRequest, count: CountMode): Promise<Listing> {
    return await listing(page, count, {
      cheap: filter.schoolId !== undefined,
      read: async () => await this.#unitOfWork.read(async ({ students }) => await students.list(filter, page)),
      total: async () => await this.#unitOfWork.read(async ({ students }) => await students.count(filter)),
    });
  }

  /** Every student the filter matches. */
  async stream(filter: StudentFilter): Promise<Rows> {
    return await openRows({ unitOfWork: this.#unitOfWork, clock: this.#clock }, ({ students }, batchSize) =>
      students.stream(filter, batchSize),
    );
  }

  /** @throws DomainError `student_not_found` */
  async find(id: number): Promise<Student> {
    const student = await this.#unitOfWork.read(async ({ students }) => await students.find(id));
    if (student === undefined) throw notFound(id);
    return student;
  }

  /** The student as JSON text, as the API shows it. @throws DomainError `student_not_found` */
  async findJson(id: number): Promise<string> {
    const json = await this.#findJson(id);
    if (json === undefined) throw notFound(id);
    return json;
  }

  /**
   * Enrols a student. The foreign key decides whether the school is active, so a deactivation at the same moment has
   * either happened before or is refused.
   *
   * @throws DomainError `school_not_found`, `school_not_active`, `student_email_taken`, or a refusal of {@link createOnce}
   */
  async create(student: NewStudent, creation: Creation<Student>): Promise<Created<Student>> {
    const now = this.#clock.now();
    const insert = async ({ students }: Repositories): Promise<Student> => {
      const made = await students.insert(student, now);
      if (made === undefined) throw emailTaken(student.email);
      return made;
    };
    try {
      const created = await createOnce({ unitOfWork: this.#unitOfWork, now }, creation, {
        inTransaction: insert,
        withoutKey: async () => await this.#unitOfWork.write(insert),
      });
      const { made } = created;
      if (made !== undefined) this.#log.info({ student_id: made.id, school_id: made.schoolId }, 'student_created');
      return created;
    } catch (error) {
      if (error instanceof DomainError) await this.#refuseForSchoolFirst(student.schoolId, error);
      throw error;
    }
  }

  /** @throws DomainError `student_not_found`, `student_email_taken` */
  async update(id: number, changes: StudentChanges): Promise<Student> {
    if (Object.keys(changes).length === 0) return await this.find(id);
    const student = await this.#unitOfWork.write(
      async ({ students }) => await students.update(id, changes, this.#clock.now()),
    );
    if (student === undefined) throw notFound(id);
    this.#log.info({ student_id: id, school_id: student.schoolId }, 'student_updated');
    return student;
  }

  /** @throws DomainError `student_not_found`, `student_has_invoices` */
  async delete(id: number): Promise<void> {
    const deleted = await this.#unitOfWork.write(async ({ students }) => await students.delete(id));
    if (!deleted) throw notFound(id);
    this.#log.info({ student_id: id }, 'student_deleted');
  }

  /**
   * The order of refusals: a school that does not exist, a taken email, an inactive school. PostgreSQL looks at the
   * email before the school, and does not tell a school that is inactive from one that is not there.
   */
  async #refuseForSchoolFirst(schoolId: number, refusal: DomainError): Promise<void> {
    if (refusal.code !== 'student_email_taken' && refusal.code !== 'school_not_active') return;
    const school = await this.#unitOfWork.read(async ({ schools }) => await schools.find(schoolId));
    if (school === undefined) throw new DomainError('school_not_found', `School with id ${schoolId} not found`);
    if (refusal.code === 'school_not_active' && !school.isActive) {
      throw new DomainError('school_not_active', `School with id ${schoolId} is not active`);
    }
  }
}

function notFound(id: number): DomainError {
  return new DomainError('student_not_found', `Student with id ${id} not found`);
}
