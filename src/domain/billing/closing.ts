/**
 * A closing: the books of a school, closed through a day. Days are YYYY-MM-DD, `startsOn` null where it is the first and
 * closes all that was before.
 */
export type Closing = Readonly<{
  id: number;
  schoolId: number;
  startsOn: string | null;
  through: string;
  reopenedAt: Date | null;
}>;

/** What the books of a closing's days say, decimal text with two places. */
export type ClosingFigures = Readonly<{
  opening: string;
  invoiced: string;
  credited: string;
  voided: string;
  collected: string;
  reversed: string;
  refunded: string;
  pending: string;
  /** What families had paid ahead by then. opening is less what they had before. */
  credit: string;
}>;
