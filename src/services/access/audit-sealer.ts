import type { Clock } from '../../domain/shared/ports.ts';
import { type AuditMark, SEALED_MAX } from '../../repositories/access/audit-seal-repository.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';

/** One run seals at most this many ranges, and forgets as many: a backlog is worked off over several runs. */
const RANGES_MAX = 100;

/** What a run did. `seal` is the newest hash as hexadecimal text: whoever keeps it elsewhere can prove the log by it. */
export type Sealed = Readonly<{ sealed: number; forgotten: number; seal: string | null }>;

/**
 * Seals what was written to the audit log, so that a later change of it shows, and forgets what was kept for five years.
 *
 * Ids are drawn before their transactions commit, so the newest entry may come before an older one. A run seals what was there
 * at the run before, if every transaction of that time has ended (docs/decisions/0058).
 */
export class AuditSealer {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  #mark: AuditMark | undefined;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
  }

  /** @param signal when aborted, it ends after the range it is at */
  async run(signal?: AbortSignal): Promise<Sealed> {
    const mark = this.#mark;
    const now = await this.#unitOfWork.read(async ({ auditSeals }) => await auditSeals.findMark());
    const isSettled = mark !== undefined && now.oldestTransaction >= mark.nextTransaction;
    // On another server numbers begin anew, and would not come up to those of before for years.
    const isOfThisServer = mark !== undefined && now.nextTransaction >= mark.nextTransaction;
    const { sealed, seal } =
      isSettled && mark.lastId !== null ? await this.#seal(mark.lastId, signal) : { sealed: 0, seal: null };
    if (isSettled || !isOfThisServer) this.#mark = now;
    return { sealed, seal, forgotten: await this.#forget(signal) };
  }

  async #seal(lastId: number, signal: AbortSignal | undefined): Promise<Pick<Sealed, 'sealed' | 'seal'>> {
    let sealed = 0;
    let seal: string | null = null;
    for (let range = 0; range < RANGES_MAX && signal?.aborted !== true; range++) {
      const now = this.#clock.now();
      const made = await this.#unitOfWork.write(async ({ auditSeals }) => await auditSeals.insert(lastId, now));
      if (made === undefined) break;
      sealed += made.entries;
      seal = made.hash;
      if (made.entries < SEALED_MAX) break;
    }
    return { sealed, seal };
  }

  async #forget(signal: AbortSignal | undefined): Promise<number> {
    let forgotten = 0;
    for (let range = 0; range < RANGES_MAX && signal?.aborted !== true; range++) {
      const gone = await this.#unitOfWork.write(async ({ auditSeals }) => await auditSeals.forgetEntries());
      if (gone === 0) break;
      forgotten += gone;
    }
    return forgotten;
  }
}
