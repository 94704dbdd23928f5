import type { AccountOwner, LineRange, StatementHeader } from '../../domain/reporting/statement.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { StudentStatementAsk, WholeStatement } from '../../repositories/reporting/statement-repository.ts';
import type { Batched, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
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

/** A student with more lines than this gets them streamed. A school's lines are streamed unless a limit is asked for. */
const LINES_AT_ONCE_MAX = 1_000;
/** Of 100, a whole statement takes a fifth more processor time; of 500 no less, and eight readers 10 MB more. */
const STREAM_BATCH_LINES = 250;

export class StatementService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #findOfStudent: Batched<StudentStatementAsk, WholeStatement>;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
    this.#findOfStudent = dependencies.unitOfWork.batchedRead(
      async ({ statements }, asks) => await statements.findEach(asks, this.#clock.now()),
    );
  }

  /**
   * What was invoiced, credited and paid, and what is owed, in one snapshot with the lines it adds up. Totals cover
   * every invoice that is not void, whatever lines are asked for.
   *
   * @param beforeStreaming awaited before a database connection is held for lines that are still to be read
   * @throws DomainError `student_not_found`, `school_not_found`
   */
  async open(
    owner: AccountOwner,
    range: LineRange,
    beforeStreaming: () => Promise<void> = async () => undefined,
  ): Promise<Statement> {
    const whole = await this.#whole(owner, range);
    if (whole === undefined) await beforeStreaming();
    const statement = whole ?? (await this.#streamed(owner, range.offset, this.#clock.now()));
    this.#log.info({ [`${owner.kind}_id`]: owner.id }, `${owner.kind}_statement_generated`);
    return statement;
  }

  /** What a school's statement would have as `header.version` now. @throws DomainError `school_not_found` */
  async findSchoolVersion(schoolId: number): Promise<string> {
    const version = await this.#unitOfWork.read(
      async ({ statements }) => await statements.findSchoolVersion(schoolId, this.#clock.now()),
    );
    if (version === undefined) throw notFound({ kind: 'school', id: schoolId });
    return version;
  }

  /**
   * The same with every line still to be read, however few there are: for answers that are written line by line.
   *
   * @throws DomainError `student_not_found`, `school_not_found`
   */
  async stream(owner: AccountOwner): Promise<Readonly<{ header: StatementHeader; rows: Rows }>> {
    const readAt = this.#clock.now();
    const { header, lines } = await this.#streamed(owner, 0, readAt);
    this.#log.info({ [`${owner.kind}_id`]: owner.id }, `${owner.kind}_statement_generated`);
    return { header, rows: { batches: lines, readAt } };
  }

  /** Header and lines at once, in one round trip; undefined when there may be too many lines for that. */
  async #whole(owner: AccountOwner, { limit, offset }: LineRange): Promise<Statement | undefined> {
    if (limit === null && owner.kind === 'school') return undefined;
    const asked = limit ?? LINES_AT_ONCE_MAX + 1;
    // A student has a few lines, and never more than are asked for here: some 7 µs each.
    const whole =
      owner.kind === 'student' && offset === 0
        ? await this.#findOfStudent({ studentId: owner.id, limit: asked })
        : await this.#unitOfWork.read(
            async ({ statements }) => await statements.find(owner, { limit: asked, offset }, this.#clock.now()),
          );
    if (whole === undefined) throw notFound(owner);
    if (limit === null && whole.lineCount > LINES_AT_ONCE_MAX) return undefined;
    return { owner, header: whole.header, lines: whole.lines };
  }

  async #streamed(owner: AccountOwner, offset: number, now: Date): Promise<StreamedStatement> {
    const opened = await this.#unitOfWork.openStream(
      async ({ statements }) => await statements.findHeader(owner, now),
      ({ statements }) => statements.streamLines(owner, offset, now, STREAM_BATCH_LINES),
    );
    if (opened.first !== undefined) return { owner, header: opened.first, lines: opened.rest };
    await opened.rest.return();
    throw notFound(owner);
  }
}

function notFound({ kind, id }: AccountOwner): DomainError {
  return kind === 'school'
    ? new DomainError('school_not_found', `School with id ${id} not found`)
    : new DomainError('student_not_found', `Student with id ${id} not found`);
}
