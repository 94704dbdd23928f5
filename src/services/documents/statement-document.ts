import { type Actor, readerOfParts } from '../../domain/access/actor.ts';
import type { Student } from '../../domain/accounts/student.ts';
import type { CreditNoteReason } from '../../domain/billing/credit-note.ts';
import type { InvoiceStatus, Settlement } from '../../domain/billing/invoice.ts';
import type { AccountOwner, StatementTotals } from '../../domain/reporting/statement.ts';
import type { PrintedDocument, PrintedTable } from '../../domain/shared/ports.ts';
import {
  frame,
  instructionsOf,
  type NamedDocument,
  type RenderContext,
  renderContext,
  type Sources,
} from './context.ts';
import { collect } from './lines.ts';
import type { Language } from './locale.ts';
import { partiesOfAccount } from './parties.ts';
import { type PaperStatus, paperStatus, statusText } from './settlement.ts';

/** A statement's line as the projection writes it. */
type StatementLine = Readonly<{
  id: number;
  number: string;
  student_id: number;
  amount_total: string;
  credited: string;
  paid: string;
  pending: string;
  status: InvoiceStatus;
  settlement: Settlement | null;
  issued_on: string;
  due_date: string;
  days_overdue: number;
  description: string | null;
}>;

/**
 * Oldest first, as people read what they have been billed; the JSON has the newest first.
 *
 * @throws DomainError `student_not_found`, `family_not_found`, `school_not_found`, `document_too_long`
 */
export async function readStatement(
  sources: Sources,
  actor: Actor,
  owner: AccountOwner,
  language: Language | null,
): Promise<NamedDocument> {
  const { school, student, family } = await partiesOfAccount(sources, actor, owner);
  const context = renderContext(sources, school, language);
  const { locale, words, now } = context;
  const { header, rows } = await sources.statements.stream(actor, owner);
  const lines = await readLines(sources, readerOfParts(actor), context, rows.batches, owner);
  const { invoiced, credited, paid, overdue, pending, ahead } = header.totals;
  const due = ahead?.balance ?? pending;
  const count: [string, string][] = header.studentCount === null ? [] : [[words.students, String(header.studentCount)]];
  const paidAhead: [string, string][] =
    ahead === null || ahead.credit === '0.00'
      ? []
      : [
          [words.paidAhead, locale.money(ahead.credit)],
          [words.balanceLessCredit, locale.money(ahead.balance)],
        ];
  const document: PrintedDocument = {
    ...frame(context, words.statement, `${words.asOf} ${locale.dayOf(now)}`, student ?? family),
    facts: [...count, [words.currency, locale.currency()], [words.generated, locale.moment(now)]],
    tables: [tableOf(context, lines, header.totals, student)],
    totals: [
      [words.billed, locale.money(invoiced)],
      [words.credited, locale.money(credited)],
      [words.paid, locale.money(paid)],
      [words.overdue, locale.money(overdue)],
      [words.balanceDue, locale.money(pending)],
      ...paidAhead,
    ],
    instructions: due === '0.00' || due.startsWith('-') ? null : instructionsOf(context),
  };
  return { name: `statement-${owner.kind}-${owner.id}-${locale.isoDay(now)}`, document };
}

/** @param reasons of its credit notes that count; needed only where they alone settled it */
function statusOf(
  { status, settlement, paid, credited }: StatementLine,
  reasons: readonly CreditNoteReason[],
): PaperStatus {
  const writtenOff = settlement === 'WRITE_OFF' ? credited : '';
  return paperStatus({ status, paid, credited, writtenOff, reasons });
}

/** @param owner of others than a student, lines name the student */
async function readLines(
  sources: Sources,
  actor: Actor,
  { locale, words }: RenderContext,
  batches: AsyncGenerator<string[], void, undefined>,
  { kind }: AccountOwner,
): Promise<(readonly string[])[]> {
  const names = new Map<number, string>();
  const reasons = new Map<number, CreditNoteReason[]>();
  const rowOf = (line: StatementLine): readonly string[] => [
    line.number,
    ...(kind === 'student' ? [] : [names.get(line.student_id) ?? '']),
    locale.day(line.issued_on),
    locale.day(line.due_date),
    line.description ?? '',
    statusText(statusOf(line, reasons.get(line.id) ?? []), line.days_overdue, words),
    ...[line.amount_total, line.credited, line.paid, line.pending].map((amount) => locale.amount(amount)),
  ];
  const helps = `${kind} statement` as const;
  const write = (line: StatementLine) => ({ issuedOn: line.issued_on, row: rowOf(line) });
  const lines = await collect(batches, helps, write, async (batch: readonly StatementLine[]) => {
    if (kind !== 'student') await addNames(sources, actor, names, batch);
    await addReasons(sources, actor, reasons, batch);
  });
  // Those of one day in the order they were entered. Days written YYYY-MM-DD are in order of their text.
  return lines
    .reverse()
    .sort((a, b) => (a.issuedOn < b.issuedOn ? -1 : a.issuedOn > b.issuedOn ? 1 : 0))
    .map(({ row }) => row);
}

/**
 * Looks up the names that lines need and `names` lacks. The JSON of a line has none, and its readers would pay for a
 * join that only paper needs.
 */
async function addNames(
  { unitOfWork }: Sources,
  actor: Actor,
  names: Map<number, string>,
  lines: readonly StatementLine[],
): Promise<void> {
  const missing = new Set(lines.map(({ student_id }) => student_id).filter((id) => !names.has(id)));
  if (missing.size === 0) return;
  const found = await unitOfWork.read(async ({ students }) => await students.listNames(actor, [...missing]));
  for (const { id, name } of found) names.set(id, name);
}

/** Looks up why those lines were credited that credit notes alone settled: the JSON of a line does not say. */
async function addReasons(
  { unitOfWork }: Sources,
  actor: Actor,
  reasons: Map<number, CreditNoteReason[]>,
  lines: readonly StatementLine[],
): Promise<void> {
  const credited = lines.filter(({ settlement }) => settlement === 'CREDIT').map(({ id }) => id);
  if (credited.length === 0) return;
  const found = await unitOfWork.read(async ({ creditNotes }) => await creditNotes.listReasons(actor, credited));
  for (const { invoiceId, reason } of found) reasons.set(invoiceId, [...(reasons.get(invoiceId) ?? []), reason]);
}

function tableOf(
  { locale, words }: RenderContext,
  rows: readonly (readonly string[])[],
  { invoiced, credited, paid, pending }: StatementTotals,
  student: Student | undefined,
): PrintedTable {
  const sums = [invoiced, credited, paid, pending].map((amount) => locale.amount(amount));
  return {
    caption: null,
    columns: [
      { label: words.document, kind: 'word' },
      ...(student === undefined ? ([{ label: words.student, kind: 'text' }] as const) : []),
      { label: words.issued, kind: 'word' },
      { label: words.due, kind: 'word' },
      { label: words.concept, kind: 'text' },
      { label: words.status, kind: 'word' },
      { label: words.amount, kind: 'amount' },
      { label: words.credited, kind: 'amount' },
      { label: words.paid, kind: 'amount' },
      { label: words.pending, kind: 'amount' },
    ],
    rows,
    sums: [words.total, ...Array<string>(student === undefined ? 5 : 4).fill(''), ...sums],
    emptyText: words.noInvoices,
  };
}
