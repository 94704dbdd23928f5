import type { CountMode, Page } from '../../domain/shared/page.ts';
import type { Clock } from '../../domain/shared/ports.ts';
import type { Repositories, UnitOfWork } from '../../repositories/shared/unit-of-work.ts';

/** One page of a list and, unless nobody asked, the number of rows the filter matches in all. */
export type Listing = Readonly<{ page: Page; total: number | null }>;

/** Reads a page and counts. */
export async function listing(
  count: CountMode,
  { read, total }: { read: () => Promise<Page>; total: () => Promise<number> },
): Promise<Listing> {
  const [page, matches] = await Promise.all([read(), count === 'exact' ? total() : null]);
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
