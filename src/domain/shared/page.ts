/** Where in a list a page begins: after or before the row that had these values in the columns the list is ordered by. */
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

/** `auto` counts unless it is dear and the page was reached by cursor, whose reader has been told already. */
export type CountMode = 'auto' | 'exact' | 'none';
