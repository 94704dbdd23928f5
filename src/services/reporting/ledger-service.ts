import type { Actor } from '../../domain/access/actor.ts';
import { accountRead } from '../../domain/reporting/events.ts';
import type { LedgerHeader, LedgerPage, LedgerPeriod } from '../../domain/reporting/ledger.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { Cursor } from '../../domain/shared/page.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { accountNotFound } from '../shared/account-not-found.ts';
import { announce } from '../shared/events.ts';

/** A ledger whose entries are still to be read, each as JSON text, oldest first. */
export type OpenLedger = Readonly<{
  owner: AccountOwner;
  header: LedgerHeader;
  /** They hold a database connection: drain them or call `return`. */
  entries: AsyncGenerator<string[], void, undefined>;
  readAt: Date;
}>;

const STREAM_BATCH_ENTRIES = 500;

/** The one projection of what moved an account: every format of it, and every report, is a view of these entries. */
export class LedgerService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /**
   * One page of entries, in one snapshot with the sums of the whole period.
   *
   * @throws DomainError `student_not_found`, `family_not_found`, `school_not_found`
   */
  async page(
    actor: Actor,
    owner: AccountOwner,
    period: LedgerPeriod,
    range: Readonly<{ limit: number; cursor: Cursor | null }>,
  ): Promise<LedgerPage> {
    const page = await this.#unitOfWork.read(async ({ ledger }) => await ledger.findPage(actor, owner, period, range));
    if (page === undefined) throw accountNotFound(owner);
    announce(this.#log, accountRead(owner, 'ledger'));
    return page;
  }

  /**
   * Every entry of the period, at any number of them in bounded memory, in one snapshot with their sums.
   *
   * @param left says that nobody wants it any more
   * @throws DomainError `student_not_found`, `family_not_found`, `school_not_found`
   */
  async open(actor: Actor, owner: AccountOwner, period: LedgerPeriod, left?: AbortSignal): Promise<OpenLedger> {
    const readAt = this.#clock.now();
    const { first: header, rest: entries } = await this.#unitOfWork.stream(
      async ({ ledger }) => await ledger.findHeader(actor, owner, period),
      ({ ledger }) => ledger.streamEntries(actor, owner, period, STREAM_BATCH_ENTRIES),
      left,
    );
    if (header === undefined) {
      await entries.return();
      throw accountNotFound(owner);
    }
    announce(this.#log, accountRead(owner, 'ledger'));
    return { owner, header, entries, readAt };
  }
}
