import type { Actor } from '../../domain/access/actor.ts';
import type { School } from '../../domain/accounts/school.ts';
import type { Student } from '../../domain/accounts/student.ts';
import type { Aging } from '../../domain/reporting/aging.ts';
import { assertCleared, NAMED_MAX } from '../../domain/reporting/clearance.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { DebtorOrder, Debtors, FamilyDebtors, Summary } from '../../domain/reporting/summary.ts';
import { dayIn } from '../../domain/shared/calendar.ts';
import { parseMoney } from '../../domain/shared/money.ts';
import type { Clock } from '../../domain/shared/ports.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { accountNotFound } from '../shared/account-not-found.ts';

/** That a student owes nothing. `day` is the school's, YYYY-MM-DD; `studentJson` is the student as the API shows it. */
export type Clearance = Readonly<{ student: Student; studentJson: string; school: School; day: string }>;

/** What is owed, since when and by whom; what was billed and collected. Read when asked for, never stored. */
export class ReportService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
  }

  /**
   * What is owed by how long it has been due, in the school's calendar.
   *
   * @param asOf YYYY-MM-DD: what was owed at the end of that day, aged by it. Null: what is owed now.
   * @throws DomainError `student_not_found`, `family_not_found`, `school_not_found`
   */
  async aging(actor: Actor, owner: AccountOwner, asOf: string | null): Promise<Aging> {
    const now = this.#clock.now();
    const aging = await this.#unitOfWork.read(async ({ reports }) => await reports.findAging(actor, owner, asOf, now));
    if (aging === undefined) throw accountNotFound(owner);
    return aging;
  }

  /**
   * The students of a school who owe something.
   *
   * @param range `limit` null is all of them
   * @throws DomainError `school_not_found`
   */
  async debtors(
    actor: Actor,
    schoolId: number,
    by: Readonly<{ order: DebtorOrder; asOf: string | null }>,
    range: Readonly<{ limit: number | null; offset: number }>,
  ): Promise<Debtors> {
    const now = this.#clock.now();
    const debtors = await this.#unitOfWork.read(
      async ({ reports }) => await reports.findDebtors(actor, schoolId, by, range, now),
    );
    if (debtors === undefined) throw accountNotFound({ kind: 'school', id: schoolId });
    return debtors;
  }

  /**
   * The families of a school that owe more than they have paid ahead, and the students of no family who owe something.
   *
   * @param range `limit` null is all of them
   * @throws DomainError `school_not_found`
   */
  async familyDebtors(
    actor: Actor,
    schoolId: number,
    by: Readonly<{ order: DebtorOrder; asOf: string | null }>,
    range: Readonly<{ limit: number | null; offset: number }>,
  ): Promise<FamilyDebtors> {
    const now = this.#clock.now();
    const debtors = await this.#unitOfWork.read(
      async ({ debts }) => await debts.findFamilyDebtors(actor, schoolId, by, range, now),
    );
    if (debtors === undefined) throw accountNotFound({ kind: 'school', id: schoolId });
    return debtors;
  }

  /**
   * That a student owes nothing, today.
   *
   * @throws DomainError `student_not_found`, `balance_pending`
   */
  async clearance(actor: Actor, studentId: number): Promise<Clearance> {
    const now = this.#clock.now();
    const owner: AccountOwner = { kind: 'student', id: studentId };
    return await this.#unitOfWork.snapshot(async ({ students, schools, statements, debts }) => {
      const student = await students.find(actor, studentId);
      const header = await statements.findHeader(actor, owner, now);
      if (student === undefined || header === undefined) throw accountNotFound(owner);
      const school = await schools.find(actor, student.schoolId);
      if (school === undefined) throw new Error(`student ${studentId} has no school`);
      const pending = parseMoney(header.totals.pending, header.currency);
      const which = { students: null, asOf: null, eachMax: NAMED_MAX + 1, now };
      assertCleared(studentId, pending, pending.minor > 0n ? await debts.listOpenInvoices(actor, owner, which) : []);
      return { student, studentJson: header.ownerJson, school, day: dayIn(school.timezone, now) };
    });
  }

  /**
   * What a school billed and collected in a range of its days, and what is owed at the end of it.
   *
   * @param range `to` null is today, or `from` if that is later; `from` null is the first day of the month of `to`
   * @throws DomainError `school_not_found`
   */
  async summary(
    actor: Actor,
    schoolId: number,
    range: Readonly<{ from: string | null; to: string | null }>,
  ): Promise<Summary> {
    const now = this.#clock.now();
    const summary = await this.#unitOfWork.read(
      async ({ reports }) => await reports.findSummary(actor, schoolId, range, now),
    );
    if (summary === undefined) throw accountNotFound({ kind: 'school', id: schoolId });
    return summary;
  }
}
