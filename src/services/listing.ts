import type { CountMode, Page, PageRequest } from '../domain/page.ts';

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
