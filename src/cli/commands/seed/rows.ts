import { rootActor } from '../../../domain/access/actor.ts';
import { NO_LETTERHEAD, type SchoolOpening } from '../../../domain/accounts/school.ts';
import { DomainError, type ErrorCode } from '../../../domain/shared/errors.ts';
import type { Page, PageRequest } from '../../../domain/shared/page.ts';
import type { Clock } from '../../../domain/shared/ports.ts';
import type { DomainEvent, Outcome } from '../../../services/shared/events.ts';
import type { IdempotencyKey } from '../../../services/shared/idempotency.ts';
import { CommandError } from '../../errors.ts';

/** Its keys are its own: no request of the API can meet them. */
export const SEEDER = rootActor('mattilda-billing seed');

const DAY_MS = 24 * 60 * 60 * 1_000;
/** Schools and students are older than the oldest of their invoices. */
export const FOUNDED_DAY = -120;
const PAGE_ROWS = 1_000;
/** Somebody who tried the API may have added rows to the sample; nobody added a hundred thousand to one student. */
const PAGES_MAX = 100;
const ATTEMPTS_MAX = 5;
/** What another run that is making the same row at this moment is refused with. */
const MADE_MEANWHILE: readonly ErrorCode[] = [
  'school_name_taken',
  'student_email_taken',
  'student_external_id_taken',
  'family_external_id_taken',
  'period_name_taken',
  'concept_code_taken',
  'discount_code_taken',
  'late_fee_policy_name_taken',
  'plan_name_taken',
  'billing_run_in_progress',
  'idempotency_in_flight',
];

/** How many there are to be of each kind, and how many of them were made now. */
export type Tally<Kind extends string = string> = Record<Kind, { wanted: number; made: number }>;

/** Makes what is not there yet, and counts it. */
export class Rows<Kind extends string> {
  readonly tally: Tally<Kind>;

  constructor(tally: Tally<Kind>) {
    this.tally = tally;
  }

  /**
   * The row's id. Of two runs at once, whoever comes second finds the row of the first, or waits for it: each attempt
   * at a row that another run is just making takes as long as the service waits for it.
   *
   * @throws CommandError when it was made and cannot be found
   */
  async ensure(
    kind: Kind,
    find: () => Promise<number | undefined>,
    make: () => Promise<Outcome<DomainEvent>>,
  ): Promise<number> {
    let id = await find();
    for (let attempt = 0; id === undefined && attempt < ATTEMPTS_MAX; attempt++) {
      await unlessRefused(MADE_MEANWHILE, async () => {
        if ((await make()).event !== undefined) this.tally[kind].made += 1;
      });
      id = await find();
    }
    if (id !== undefined) return id;
    throw new CommandError(`The sample ${kind} were made before and renamed since`);
  }
}

/** None of them made yet. */
export function wanted(number: number): { wanted: number; made: number } {
  return { wanted: number, made: 0 };
}

export function newSchool(school: Readonly<{ name: string; country: string; currency: string }>): SchoolOpening {
  return {
    ...NO_LETTERHEAD,
    ...school,
    timezone: null,
    invoicePrefix: 'F',
    receiptPrefix: 'R',
    creditNotePrefix: null,
    refundPrefix: null,
  };
}

/** Stands on the day of what is being made, so that the sample has a past. */
export class DayClock implements Clock {
  readonly #today: Date;
  #now: Date;

  constructor(today: Date) {
    this.#today = today;
    this.#now = today;
  }

  now(): Date {
    return this.#now;
  }

  goTo(inDays: number): void {
    this.#now = this.day(inDays);
  }

  day(inDays: number): Date {
    return new Date(this.#today.getTime() + inDays * DAY_MS);
  }
}

/** Does what another run may do at this moment: then its refusal says that it is done. */
export async function unlessRefused(codes: readonly ErrorCode[], work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DomainError && codes.includes(error.code))) throw error;
  }
}

/**
 * Nothing but the key keeps two runs at once from making an invoice or a payment twice; schools and students are unique
 * by a constraint anyway.
 */
export function keyed(name: string): IdempotencyKey {
  return { key: name, fingerprint: name };
}

/** Id of the first row that fits, over all pages. */
export async function findRow(
  list: (page: PageRequest) => Promise<Page>,
  fits: (row: Readonly<Record<string, unknown>>) => boolean,
): Promise<number | undefined> {
  let request: PageRequest = { limit: PAGE_ROWS, offset: 0, cursor: null };
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const { json, next } = await list(request);
    const rows: Record<string, unknown>[] = JSON.parse(json);
    const id = rows.find(fits)?.['id'];
    if (typeof id === 'number') return id;
    if (next === null) return undefined;
    request = { ...request, cursor: next };
  }
  throw new CommandError(`More than ${PAGES_MAX * PAGE_ROWS} rows to look through`);
}
