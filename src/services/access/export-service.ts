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
      const event = { type: 'personal_data_exported', ...file, ...(await lookUp(actor, repositories, file)) } as const;
      await keepEntry(actor, repositories, { body: '', event }, now);
      return event;
    };
    announce(this.#log, await this.#unitOfWork.transaction(keep, { isRepeatable: true }));
  }
}

/**
 * The school whose people are in the file, null where that is no one school; and the filters, in which an id that is none for
 * the actor stands as `set`: whoever reads the log of one school finds no id of another there.
 */
async function lookUp(
  actor: Actor,
  { families }: Repositories,
  { filters }: ExportedFile,
): Promise<{ schoolId: number | null; filters: JsonObject }> {
  const { school_id: schoolId, family_id: familyId } = filters;
  const school = typeof schoolId === 'number' && isThere(actor, schoolId) ? schoolId : undefined;
  const family = typeof familyId === 'number' ? await families.find(actor, familyId) : undefined;
  return {
    schoolId: school ?? family?.schoolId ?? onlySchoolOf(actor),
    filters: {
      ...filters,
      ...(schoolId === undefined ? {} : { school_id: school ?? 'set' }),
      ...(familyId === undefined ? {} : { family_id: family === undefined ? 'set' : familyId }),
    },
  };
}

function isThere(actor: Actor, schoolId: number): boolean {
  return actor.kind === 'link' ? actor.family.schoolId === schoolId : sees(actor, schoolId);
}

function onlySchoolOf(actor: Actor): number | null {
  if (actor.kind === 'link') return actor.family.schoolId;
  const [only = null, ...others] = actor.schools === 'all' ? [] : actor.schools;
  return others.length === 0 ? only : null;
}
