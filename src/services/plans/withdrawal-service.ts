import type { Actor } from '../../domain/access/actor.ts';
import { assertEnrolmentSensible } from '../../domain/plans/catalogue-rules.ts';
import type { EnrolmentWithdrawn } from '../../domain/plans/events.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { BilledAfter } from '../../repositories/plans/enrolment-repository.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { lockFamilyInvoices } from '../billing/locks.ts';
import { voidInvoice } from '../billing/voiding.ts';
import type { Done } from '../shared/audit.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';

/** `endsOn` is the last day, YYYY-MM-DD. */
export type Withdraw = Readonly<{ enrolmentId: number; endsOn: string; reason: string }>;

/** Ends enrolments, and takes back what was billed for later days. */
export class WithdrawalService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /**
   * All of it in one transaction. What was paid on what is voided becomes the family's credit; an invoice of no family with
   * payments has nobody whose credit they could be, so it is kept and named.
   *
   * @throws DomainError `enrolment_not_found`, `day_out_of_range`, or a refusal of {@link createOnce}
   */
  async withdraw(actor: Actor, command: Withdraw, key: IdempotencyKey | null): Promise<Outcome<EnrolmentWithdrawn>> {
    const now = this.#clock.now();
    const inTransaction = async (repositories: Repositories): Promise<Done<EnrolmentWithdrawn>> => {
      const { enrolments, periods } = repositories;
      const { enrolmentId, endsOn, reason } = command;
      const enrolment = await enrolments.findForUpdate(actor, enrolmentId);
      if (enrolment === undefined) throw notFound(enrolmentId);
      const period = await periods.findForShare(actor, enrolment.periodId);
      if (period === undefined) throw new Error(`enrolment ${enrolmentId} has no period`);
      assertEnrolmentSensible({ ...enrolment, endsOn }, period);
      const before = await enrolments.rows.findJson(actor, enrolmentId);
      await enrolments.updateWithdrawal(actor, enrolmentId, { endsOn, reason }, now);

      const found = await enrolments.listBilledAfter(actor, enrolment, endsOn);
      const held = new Set(found.map(({ id }) => id));
      await lockFamilyInvoices(actor, repositories, [...held]);
      // Again, now that nobody pays one meanwhile. What was billed since is not held, and left.
      const billed = (await enrolments.listBilledAfter(actor, enrolment, endsOn)).filter(({ id }) => held.has(id));
      const isKept = ({ isPaid, familyId }: BilledAfter): boolean => isPaid && familyId === null;
      const voided = billed.filter((one) => !isKept(one));
      for (const { id, isPaid } of voided) {
        await voidInvoice(actor, repositories, { id, reason, voidedOn: null, toCredit: isPaid }, now);
      }
      const body = await enrolments.rows.findJson(actor, enrolmentId);
      if (before === undefined || body === undefined) throw notFound(enrolmentId);
      const kept = billed.filter(isKept);
      const answer = { ...JSON.parse(body), voided: voided.map(toShown), kept: kept.map(toShown) };
      const { schoolId } = enrolment;
      const counts = { voided: voided.length, kept: kept.length };
      const event = { type: 'enrolment_withdrawn', enrolmentId, schoolId, ...counts } as const;
      return { before, body: JSON.stringify(answer), event };
    };
    const outcome = await createOnce(this.#unitOfWork, { actor, key, now, inTransaction });
    announce(this.#log, outcome.event);
    return outcome;
  }
}

function toShown({ id, number, amount, paid }: BilledAfter): object {
  return { invoice_id: id, number, amount_total: amount, paid };
}

function notFound(id: number): DomainError {
  return new DomainError('enrolment_not_found', `Enrolment with id ${id} not found`);
}
