import { type Actor, sees } from '../../domain/access/actor.ts';
import type { JsonObject } from '../../domain/access/audit.ts';
import type { ExportedForm, ExportedList } from '../../domain/access/people-events.ts';
import type { Clock, Log } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import { keepEntry } from '../shared/audit.ts';
import { announce } from '../shared/events.ts';

/** A file of people, as it is asked for. */
export type ExportedFile = Readonly<{
  of: ExportedList;
  form: ExportedForm;
  /** What narrows it, by the names of the API. What somebody typed stands here as `set`. */
  filters: JsonObject;
}>;

/** Exports of personal data: who was given which file. */
export class ExportService {
  readonly #unitOfWork: UnitOfWork;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(dependencies: { unitOfWork: UnitOfWork; clock: Clock; log: Log }) {
    this.#unitOfWork = dependencies.unitOfWork;
    this.#clock = dependencies.clock;
    this.#log = dependencies.log;
  }

  /**
   * Keeps that somebody is given a file, before they are. Where nobody knows whether it was kept it is done again: an entry
   * twice does no harm, and a file without one does.
   *
   * @throws UnavailableError
   */
  async keep(actor: Actor, file: ExportedFile): Promise<void> {
    const now = this.#clock.now();
    const keep = async (repositories: Repositories) => {
      const schoolId = await schoolOf(actor, repositories, file.filters);
      const event = { type: 'personal_data_exported', ...file, schoolId } as const;
      await keepEntry(actor, repositories, { body: '', event }, now);
      return event;
    };
    announce(this.#log, await this.#unitOfWork.transaction(keep, { isRepeatable: true }));
  }
}

/** The school whose people are in the file; null where that is no one school, or none that exists for the actor. */
async function schoolOf(
  actor: Actor,
  { families }: Repositories,
  { school_id: schoolId, family_id: familyId }: JsonObject,
): Promise<number | null> {
  if (actor.kind === 'link') return actor.family.schoolId;
  if (typeof schoolId === 'number' && sees(actor, schoolId)) return schoolId;
  const family = typeof familyId === 'number' ? await families.find(actor, familyId) : undefined;
  if (family !== undefined) return family.schoolId;
  const [only = null, ...others] = actor.schools === 'all' ? [] : actor.schools;
  return others.length === 0 ? only : null;
}
