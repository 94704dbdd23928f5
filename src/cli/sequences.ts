import { UnavailableError } from '../domain/shared/errors.ts';
import type { Logger } from '../infrastructure/observability/logging.ts';
import type { SequenceRepository } from '../repositories/shared/sequence-repository.ts';
import { CommandError } from './errors.ts';

/** What of a unit of work is used here. */
type Reader = Readonly<{
  read<T>(
    work: (repositories: Readonly<{ sequences: Pick<SequenceRepository, 'listBehind' | 'moveOn'> }>) => Promise<T>,
  ): Promise<T>;
}>;

/**
 * Moves sequences on that would give out ids which are taken. A database that does not answer is looked past: should an id
 * turn out to be taken later, the same is done then.
 *
 * @throws CommandError when one is too far behind, with what its owner can do
 */
export async function moveSequencesOn(unitOfWork: Reader, log: Logger): Promise<void> {
  try {
    for (const { table, sequence, behind } of await unitOfWork.read(
      async ({ sequences }) => await sequences.listBehind(),
    )) {
      const isFree = await unitOfWork.read(async ({ sequences }) => await sequences.moveOn(table));
      log.warn({ sequence, behind, moved: isFree }, 'sequence_was_behind');
      if (isFree) continue;
      throw new CommandError(
        `The sequence ${sequence} is ${behind} ids behind its table, more than this server moves it on. As the owner of the tables:\n  select setval('${sequence}', (select max(id) from ${table}));`,
      );
    }
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
    log.warn({ reason: error.code }, 'sequences_not_looked_at');
  }
}
