import type { Books } from '../../domain/billing/books.ts';
import type { NewInvoice } from '../../domain/billing/invoice.ts';
import {
  BALANCE_COLUMNS,
  type BalanceRow,
  type CreditRow,
  type DebtRow,
  readBalance,
} from '../../domain/imports/balances.ts';
import { isPayable, parseMoney } from '../../domain/shared/money.ts';
import type { ImportedDocument } from '../../repositories/imports/balance-import-repository.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import type { ImportRun, ImportSource } from './import-file.ts';
import type { ImportContext } from './import-students.ts';

/** How a payment that was imported can be told from others. */
const OPENING = 'OPENING';

/** What rows refer to, by the names that files have for it. */
type Known = Readonly<{
  students: ReadonlyMap<string, number>;
  families: ReadonlyMap<string, number>;
  concepts: ReadonlyMap<string, number>;
}>;

/**
 * What was owed and what was paid too much before, by document. What was imported before stays; nothing is allocated: what
 * credit is spent on is decided later, by whoever looks at both.
 */
export async function importBalances(
  run: ImportRun,
  source: ImportSource,
  repositories: Repositories,
  context: ImportContext,
): Promise<void> {
  const { actor, schoolId, now } = context;
  const { balanceImports, studentImports, books } = repositories;
  const seen = new Map<string, number>();
  const seenBooks = await books.find(actor, schoolId, now);
  if (seenBooks === undefined) throw new Error(`school ${schoolId} vanished`);
  const concepts = namesOf(await balanceImports.listConcepts(actor, schoolId), ({ code }) => code);

  await run.over(source, BALANCE_COLUMNS, readBalance, async (rows) => {
    for (const row of rows) refuseRow(run, row, { seen, books: seenBooks, currency: context.currency });
    const before = new Map(
      (
        await balanceImports.listDocuments(
          actor,
          schoolId,
          rows.map(({ document }) => document),
        )
      ).map(({ document, content }) => [document, content]),
    );
    const fresh: BalanceRow[] = [];
    for (const row of rows) {
      if (run.isWrong(row)) continue;
      const content = before.get(row.document);
      if (content === undefined) fresh.push(row);
      else if (content === contentOf(row)) run.count('unchanged');
      else {
        const detail = 'it was imported before and said something else: what was imported never changes';
        run.refuse({ line: row.line, column: 'document', code: 'differs', detail });
      }
    }
    const debts = fresh.filter((row) => row.kind === 'DEBT');
    const credits = fresh.filter((row) => row.kind === 'CREDIT');
    const known: Known = {
      concepts,
      students: namesOf(
        await studentImports.listForUpdate(
          actor,
          schoolId,
          debts.map(({ studentExternalId }) => studentExternalId),
        ),
        ({ externalId }) => externalId,
      ),
      families: namesOf(
        await balanceImports.listFamiliesForUpdate(
          actor,
          schoolId,
          credits.map(({ familyExternalId }) => familyExternalId),
        ),
        ({ externalId }) => externalId,
      ),
    };
    const documents = [
      ...(await insertDebts(run, repositories, context, debts, known)),
      ...(await insertCredits(run, repositories, context, credits, known)),
    ];
    await balanceImports.insertDocuments(actor, schoolId, documents, now);
    run.count('created', documents.length);
  });
}

function refuseRow(
  run: ImportRun,
  { line, document, amount, issuedOn }: BalanceRow,
  { seen, books, currency }: Readonly<{ seen: Map<string, number>; books: Books; currency: string }>,
): void {
  const first = seen.get(document);
  if (first === undefined) seen.set(document, line);
  else run.refuse({ line, column: 'document', code: 'repeated', detail: `is that of line ${first}` });
  if (!isPayable(parseMoney(amount, currency))) {
    run.refuse({ line, column: 'amount', code: 'amount_not_whole', detail: `${currency} has no decimals` });
  }
  if (issuedOn !== null && issuedOn > books.today) {
    const detail = `must not be after today, ${books.today}`;
    run.refuse({ line, column: 'issued_on', code: 'day_out_of_range', detail });
  }
}

async function insertDebts(
  run: ImportRun,
  { invoices, books }: Repositories,
  { actor, schoolId, now }: ImportContext,
  rows: readonly DebtRow[],
  { students, concepts }: Known,
): Promise<ImportedDocument[]> {
  const found = rows.flatMap((row): [DebtRow, NewInvoice][] => {
    const studentId = students.get(row.studentExternalId);
    const conceptId = row.conceptCode === null ? null : concepts.get(row.conceptCode);
    const refuse = (column: string, what: string): void =>
      run.refuse({ line: row.line, column, code: 'not_found', detail: `the school has no ${what}` });
    if (studentId === undefined) refuse('student_external_id', 'student of this external id');
    if (conceptId === undefined) refuse('concept_code', 'concept of this code');
    if (studentId === undefined || conceptId === undefined) return [];
    const { amount: amountTotal, dueDate, description, issuedOn } = row;
    return [[row, { studentId, amountTotal, currency: null, dueDate, description, issuedOn, conceptId }]];
  });
  if (found.length === 0) return [];
  const made = await invoices.insertBatch(
    actor,
    found.map(([, invoice]) => invoice),
    now,
  );
  // Now that the school's books are held: nothing is closed meanwhile.
  const held = await books.findForUpdate(actor, schoolId, now);
  const closedThrough = held?.closedThrough ?? null;
  return found.flatMap(([row], at) => {
    const invoiceId = made[at]?.invoiceId;
    if (invoiceId === undefined) throw new Error('a debt whose student is held was not issued');
    if (row.issuedOn !== null && closedThrough !== null && row.issuedOn <= closedThrough) {
      const detail = `the books are closed through ${closedThrough}`;
      run.refuse({ line: row.line, column: 'issued_on', code: 'period_closed', detail });
      return [];
    }
    return [{ document: row.document, content: contentOf(row), invoiceId, paymentId: null }];
  });
}

async function insertCredits(
  run: ImportRun,
  { payments }: Repositories,
  { actor, now }: ImportContext,
  rows: readonly CreditRow[],
  { families }: Known,
): Promise<ImportedDocument[]> {
  const made: ImportedDocument[] = [];
  for (const row of rows) {
    const { line, familyExternalId, document, amount, issuedOn } = row;
    const familyId = families.get(familyExternalId);
    if (familyId === undefined) {
      const detail = 'the school has no family of this external id';
      run.refuse({ line, column: 'family_external_id', code: 'not_found', detail });
      continue;
    }
    const payment = { amount, method: 'OTHER', reference: OPENING, paidAt: issuedOn ?? now } as const;
    const allocations = { familyId, payment, allocations: [], allocatedOn: null };
    const { paymentId } = await payments.insertOfFamily(actor, allocations, now);
    made.push({ document, content: contentOf(row), invoiceId: null, paymentId });
  }
  return made;
}

/** What a file says of a document, as it is compared with what one says later. */
function contentOf(row: BalanceRow): string {
  const { kind, amount, issuedOn } = row;
  return JSON.stringify(
    kind === 'DEBT'
      ? [kind, amount, issuedOn, row.studentExternalId, row.conceptCode, row.dueDate, row.description]
      : [kind, amount, issuedOn, row.familyExternalId],
  );
}

function namesOf<T extends { id: number }>(rows: readonly T[], name: (row: T) => string): Map<string, number> {
  return new Map(rows.map((row) => [name(row), row.id]));
}
