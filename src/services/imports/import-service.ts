import type { Actor } from '../../domain/access/actor.ts';
import type { ImportFinished, ImportKind } from '../../domain/imports/import.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { announce, type Outcome } from '../shared/events.ts';
import { createOnce, type IdempotencyKey } from '../shared/idempotency.ts';
import { importBalances } from './import-balances.ts';
import { importFamilies } from './import-families.ts';
import { ImportRun, type ImportSource } from './import-file.ts';
import { importStudents } from './import-students.ts';

export type ImportFile = Readonly<{
  kind: ImportKind;
  schoolId: number;
  source: ImportSource;
  /** Told of every batch of rows. */
  onProgress?: (rows: number) => void;
}>;

const IMPORTS = { students: importStudents, families: importFamilies, balances: importBalances };

/** Takes over what a school had elsewhere: a whole file in one transaction, or nothing of it. */
export class ImportService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /**
   * Writes a file, and tells as JSON text what came of its rows.
   *
   * @throws DomainError `school_not_found`, `school_not_active`, `import_invalid`, a refusal of {@link createOnce}
   */
  async write(actor: Actor, file: ImportFile, key: IdempotencyKey | null): Promise<Outcome<ImportFinished>> {
    const now = this.#clock.now();
    const outcome = await createOnce<ImportFinished>(this.#unitOfWork, {
      actor,
      key,
      now,
      inTransaction: async (repositories) => {
        const run = await runOver(actor, repositories, file, now);
        run.assertRight();
        const result = run.result();
        const { rows, created, updated } = result;
        const event = { type: `${file.kind}_imported`, schoolId: file.schoolId, rows, created, updated } as const;
        return { body: JSON.stringify(result), event };
      },
    });
    announce(this.#log, outcome.event);
    return outcome;
  }

  /** What would come of a file, as JSON text: it is written and taken back. @throws DomainError `school_not_found` */
  async tryOut(actor: Actor, file: ImportFile): Promise<string> {
    const now = this.#clock.now();
    return await this.#unitOfWork.tryOut(async (repositories) =>
      JSON.stringify((await runOver(actor, repositories, file, now)).result()),
    );
  }
}

async function runOver(
  actor: Actor,
  repositories: Repositories,
  { kind, schoolId, source, onProgress = () => undefined }: ImportFile,
  now: Date,
): Promise<ImportRun> {
  const school = await repositories.schools.findForShare(actor, schoolId);
  if (school === undefined) throw new DomainError('school_not_found', `School with id ${schoolId} not found`);
  const run = new ImportRun(onProgress);
  await IMPORTS[kind](run, source, repositories, { actor, schoolId, currency: school.currency, now });
  return run;
}
