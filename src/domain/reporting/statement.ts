/** Whose account: a student's, a family's, or that of all of a school. */
export type AccountOwner = Readonly<{ kind: 'student' | 'family' | 'school'; id: number }>;

/** Decimal text with two places, in the school's currency. `pending` = invoiced - credited - paid. */
export type StatementTotals = Readonly<{
  invoiced: string;
  credited: string;
  paid: string;
  pending: string;
  /** The part of pending whose due day has passed. */
  overdue: string;
  /** What was paid ahead, and pending - credit. Null for a student: only a family has credit. */
  ahead: Readonly<{ credit: string; balance: string }> | null;
}>;

/** Everything of a statement but its lines. Covers every invoice that is not void, whatever lines are asked for. */
export type StatementHeader = Readonly<{
  /** The student or school as JSON text, as the API shows it. */
  ownerJson: string;
  currency: string;
  totals: StatementTotals;
  /** Students enrolled; null but in a school's statement. */
  studentCount: number | null;
  /** Changes whenever a line does, and is told without reading them. Null where it cannot be: but for a school. */
  linesVersion: string | null;
}>;

/** Which lines of a statement: `limit` null is all of them. */
export type LineRange = Readonly<{ limit: number | null; offset: number }>;
