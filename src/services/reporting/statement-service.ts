import { type Actor, sees } from '../../domain/access/actor.ts';
import { accountRead } from '../../domain/reporting/events.ts';
import type { AccountOwner, LineRange, StatementHeader } from '../../domain/reporting/statement.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { StudentStatementRequest, WholeStatement } from '../../repositories/reporting/statement-repository.ts';
import type { Batched, Batches } from '../../repositories/shared/batches.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { accountNotFound } from '../shared/account-not-found.ts';
import { announce } from '../shared/events.ts';
import type { Rows } from '../shared/listing.ts';

/** A statement whose lines are all here, or still to be read. Lines are JSON text, newest first. */
export type Statement = Readonly<{
  owner: AccountOwner;
  header: StatementHeader;
  /**
   * The lines as the inside of a JSON array; or, where there may be more than fit in memory, batches of lines. Batches
   * hold a database connection: drain them or call `return`.
   */
  lines: string | AsyncGenerator<string[], void, undefined>;
}>;

type StreamedStatement = Statement & Readonly<{ lines: AsyncGenerator<string[], void, undefined> }>;

/** A student or a family with more lines than this gets them streamed. A school's lines are streamed unless a limit is asked for. */
const LINES_AT_ONCE_MAX = 1_000;
/** Of 100, a whole statement takes a fifth more processor time; of 500 no less, and eight readers 10 MB more. */
const STREAM_BATCH_LINES = 250;

export class StatementService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #findOfStudent: Batched<StudentStatementRequest, WholeStatement>;

  constructor(dependencies: { unitOfWork: UnitOfWork; batches: Batches; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#findOfStudent = dependencies.batches.read(
      async ({ statements }, requests) => await statements.findEachOfStudents(requests, this.#clock.now()),
    );
  }

  /**
   * What was invoiced, credited and paid, and what is owed, in one snapshot with the lines it adds up. Totals cover
   * every invoice that is not void, whatever lines are asked for.
   *
   * @param beforeStreaming awaited before a database connection is held for lines that are still to be read; it may tell
   *   what says that nobody wants them any more
   * @throws DomainError `student_not_found`, `family_not_found`, `school_not_found`
   */
  async open(
    actor: Actor,
    owner: AccountOwner,
    range: LineRange,
    beforeStreaming: () => Promise<AbortSignal | undefined> = async () => undefined,
  ): Promise<Statement> {
    const whole = await this.#whole(actor, owner, range, this.#clock.now());
    const left = whole === undefined ? await beforeStreaming() : undefined;
    const statement = whole ?? (await this.#streamed(actor, owner, range.offset, this.#clock.now(), left));
    announce(this.#log, accountRead(owner, 'statement'));
    return statement;
  }

  /**
   * The same with every line still to be read, however few there are: for answers that are written line by line.
   *
   * @param left says that nobody wants it any more
   * @throws DomainError `student_not_found`, `family_not_found`, `school_not_found`
   */
  async stream(
    actor: Actor,
    owner: AccountOwner,
    left?: AbortSignal,
  ): Promise<Readonly<{ header: StatementHeader; rows: Rows }>> {
    const readAt = this.#clock.now();
    const { header, lines } = await this.#streamed(actor, owner, 0, readAt, left);
    announce(this.#log, accountRead(owner, 'statement'));
    return { header, rows: { batches: lines, readAt } };
  }

  /** Header and lines at once, in one round trip; undefined when there may be too many lines for that. */
  async #whole(
    actor: Actor,
    owner: AccountOwner,
    { limit, offset }: LineRange,
    now: Date,
  ): Promise<Statement | undefined> {
    if (limit === null && owner.kind === 'school') return undefined;
    const range = { limit: limit ?? LINES_AT_ONCE_MAX + 1, offset };
    const whole =
      // Those that are read for several callers have all lines of the student, and a family's link sees the family's.
      owner.kind === 'student' && actor.kind !== 'link'
        ? await this.#findOfStudent({ studentId: owner.id, ...range })
        : await this.#unitOfWork.read(async ({ statements }) => await statements.findWhole(actor, owner, range, now));
    if (whole === undefined || (actor.kind !== 'link' && !sees(actor, whole.schoolId))) throw accountNotFound(owner);
    if (limit === null && whole.lineCount > LINES_AT_ONCE_MAX) return undefined;
    return { owner, header: whole.header, lines: whole.lines };
  }

  async #streamed(
    actor: Actor,
    owner: AccountOwner,
    offset: number,
    now: Date,
    left: AbortSignal | undefined,
  ): Promise<StreamedStatement> {
    const opened = await this.#unitOfWork.stream(
      async ({ statements }) => await statements.findHeader(actor, owner, now),
      ({ statements }) => statements.streamLines(actor, owner, offset, now, STREAM_BATCH_LINES),
      left,
    );
    if (opened.first !== undefined) return { owner, header: opened.first, lines: opened.rest };
    await opened.rest.return();
    throw accountNotFound(owner);
  }
}
