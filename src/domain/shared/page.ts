/**
 * Where in a list a page begins: after or before the row that had these values in the columns the list is ordered by, or
 * that these values name where the columns hold what a cursor must not (docs/decisions/0043).
 */
export type Cursor = Readonly<{ direction: 'after' | 'before'; key: readonly (string | number)[] }>;

/** `cursor` and `offset` exclude each other: with a cursor, offset is 0. */
export type PageRequest = Readonly<{ limit: number; offset: number; cursor: Cursor | null }>;

/** One page of a list, as JSON text that the database built and nobody parses again. */
export type Page = Readonly<{
  /** A JSON array. */
  json: string;
  next: Cursor | null;
  prev: Cursor | null;
}>;

/** Whether the rows that the filter matches are counted. */
export type CountMode = 'exact' | 'none';
