import type { CountMode, Page, PageRequest } from '../../domain/shared/page.ts';
import type { Clock } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';

/** One page of a list and, where it was counted, the number of rows the filter matches in all. */
export type Listing = Readonly<{ page: Page; total: number | null }>;

/**
 * Reads a page and counts.
 *
 * @param cheap whether counting costs next to nothing (an index range of one student, a counter): then it is always done
 */
export async function listing(
  request: PageRequest,
  count: CountMode,
  { cheap, read, total }: { cheap: boolean; read: () => Promise<Page>; total: () => Promise<number> },
): Promise<Listing> {
  const counted = count === 'exact' || (count === 'auto' && (cheap || request.cursor === null));
  const [page, matches] = await Promise.all([read(), counted ? total() : null]);
  return { page, total: matches };
}

/** Rows of a result of any size as JSON text, in the order of the list; all of them as they were at one moment. */
export type Rows = Readonly<{
  /** They hold a database connection: drain them or call `return`. */
  batches: AsyncGenerator<string[], void, undefined>;
  readAt: Date;
}>;

const BATCH_ROWS = 500;

/**
 * Opens every row of a list.
 *
 * @param look runs first, in the same snapshot: to refuse what is a list of nothing
 */
export async function openRows(
  { unitOfWork, clock }: { unitOfWork: UnitOfWork; clock: Clock },
  stream: (repositories: Repositories, batchSize: number, now: Date) => AsyncGenerator<string[], void, undefined>,
  look: (repositories: Repositories) => Promise<unknown> = async () => undefined,
): Promise<Rows> {
  const readAt = clock.now();
  const { rest } = await unitOfWork.stream(look, (repositories) => stream(repositories, BATCH_ROWS, readAt));
  return { batches: rest, readAt };
}
