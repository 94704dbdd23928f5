import { DomainError } from '../../domain/shared/errors.ts';

/** Longer documents are refused: nobody reads them on paper, and CSV has no limit. */
export const DOCUMENT_LINES_MAX = 5_000;

/** What helps when a document is too long. */
export type Shorter =
  | 'ledger'
  | 'student statement'
  | 'family statement'
  | 'school statement'
  | 'whole invoice'
  | 'receipt';

const HELP: Readonly<Record<Shorter, string>> = {
  ledger: 'Ask for a shorter period',
  'student statement': 'Ask for a period of the ledger',
  'family statement': 'Ask for the statements of its students, or for a period of its ledger',
  'school statement': 'Ask for the statements of its students, or for a period of its ledger',
  'whole invoice': 'Ask for the lists of its payments and credit notes',
  receipt: 'Ask for the JSON of the payment',
};

/**
 * Reads lines batch by batch, so that others are answered in between, and writes each at once.
 *
 * @param helps what is told when there are too many
 * @param prepare gets what `write` needs for the lines of a batch
 * @throws DomainError `document_too_long`
 */
export async function collect<Line, Row>(
  batches: AsyncGenerator<string[], void, undefined>,
  helps: Shorter,
  write: (line: Line) => Row,
  prepare: (lines: readonly Line[]) => Promise<void> = async () => undefined,
): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const batch of batches) {
    if (rows.length + batch.length > DOCUMENT_LINES_MAX) throw tooLong(helps);
    const lines = batch.map((json): Line => JSON.parse(json));
    await prepare(lines);
    for (const line of lines) rows.push(write(line));
  }
  return rows;
}

export function tooLong(helps: Shorter): DomainError {
  return new DomainError(
    'document_too_long',
    `A PDF holds at most ${DOCUMENT_LINES_MAX} lines. ${HELP[helps]}, or for CSV, which has no limit`,
  );
}
