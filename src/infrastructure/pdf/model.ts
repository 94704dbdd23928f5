/**
 * What a printed document is made of: texts in their places, ready to be read. Whoever fills it in has chosen language,
 * number and date forms; whoever draws it chooses fonts, sizes and page breaks, and never looks at what a text means.
 *
 * The port of the same shape is in services/ports.ts. compose.ts does not compile when the two differ.
 */
export type PrintedDocument = Readonly<{
  /** BCP 47, for readers that speak. */
  language: string;
  paper: 'LETTER' | 'A4';
  title: string;
  /** Under the title: a number, a day or a period. */
  subtitle: string;
  issuer: Readonly<{ name: string; details: readonly string[] }>;
  party: Readonly<{ label: string; name: string; details: readonly string[] }> | null;
  /** Label and value. */
  facts: readonly (readonly [label: string, value: string])[];
  /** Stamped across the head. */
  mark: Readonly<{ text: string; tone: 'good' | 'bad' }> | null;
  tables: readonly PrintedTable[];
  /** The box at the end; the last one stands out. */
  totals: readonly (readonly [label: string, value: string])[];
  notes: readonly string[];
  /** At the foot of every page, beside the page's number. */
  footer: string;
  /** Such as "Page {page} of {pages}". */
  pageLabel: string;
  createdAt: Date;
}>;

export type PrintedTable = Readonly<{
  caption: string | null;
  /**
   * `amount` stands right and is never cut. `word` is short (a number, a date) and never wrapped. `text` shares what
   * width is left and wraps.
   */
  columns: readonly Readonly<{ label: string; kind: 'text' | 'word' | 'amount' }>[];
  rows: readonly (readonly string[])[];
  /** In bold under the last row; empty texts where a column has no sum. */
  sums: readonly string[] | null;
  /** Instead of rows when there are none. */
  emptyText: string;
}>;
