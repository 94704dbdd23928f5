import type { Actor } from '../../domain/access/actor.ts';
import type { OpenInvoice } from '../../domain/reporting/debt.ts';
import type { Debtor, DebtorOrder } from '../../domain/reporting/summary.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney, parseMoney, subtractMoney, sumMoney } from '../../domain/shared/money.ts';
import type { PrintedDocument, PrintedTable } from '../../domain/shared/ports.ts';
import { accountNotFound } from '../shared/account-not-found.ts';
import {
  frame,
  instructionsOf,
  type NamedDocument,
  type RenderContext,
  renderContext,
  type Sources,
} from './context.ts';
import type { Language } from './locale.ts';
import { shortened } from './movement-text.ts';
import { fill } from './words/words.ts';

/** Which debtors: as their list is asked for. `limit` null is all of them, of which there may be {@link LETTERS_MAX}. */
export type LettersOrder = Readonly<{
  order: DebtorOrder;
  asOf: string | null;
  limit: number | null;
  offset: number;
}>;

/** More letters in one file are refused: it would take longer to draw than anybody waits. */
export const LETTERS_MAX = 500;
/** Lines of a page beside its head, text and total: open invoices and payment instructions share them. */
const PAGE_LINES = 30;
const ROWS_MAX = 20;
const ROWS_MIN = 8;
/** Letters of an instruction that stand in one line, roughly. */
const LINE_LETTERS = 100;

/**
 * A letter to each debtor, each on a page: what is owed, the longest due first. What no page holds is summed up in one row,
 * so the total is always that of all.
 *
 * @throws DomainError `school_not_found`, `document_too_long`
 */
export async function readDebtorLetters(
  sources: Sources,
  actor: Actor,
  schoolId: number,
  { order, asOf, limit, offset }: LettersOrder,
  language: Language | null,
): Promise<NamedDocument> {
  const owner = { kind: 'school', id: schoolId } as const;
  const now = sources.clock.now();
  const found = await sources.unitOfWork.snapshot(async ({ schools, reports, debts }) => {
    const school = await schools.find(actor, schoolId);
    if (school === undefined) throw accountNotFound(owner);
    const range = { limit: Math.min(limit ?? LETTERS_MAX + 1, LETTERS_MAX + 1), offset };
    const debtors = await reports.findDebtors(actor, schoolId, { order, asOf }, range, now);
    if (debtors === undefined) throw accountNotFound(owner);
    if (debtors.debtors.length > LETTERS_MAX) throw tooManyLetters(debtors.total);
    const students = debtors.debtors.map(({ student }) => student.id);
    const open = await debts.listOpenInvoices(actor, owner, { students, asOf, eachMax: ROWS_MAX, now });
    return { school, debtors, open };
  });
  const context = renderContext(sources, found.school, language);
  const open = new Map<number, OpenInvoice[]>();
  for (const invoice of found.open) open.set(invoice.studentId, [...(open.get(invoice.studentId) ?? []), invoice]);
  const letters = found.debtors.debtors.map((debtor) =>
    letterOf(context, debtor, open.get(debtor.student.id) ?? [], found.debtors.asOf),
  );
  const [first = nobody(context, found.debtors.asOf), ...following] = letters;
  return { name: `debtors-school-${schoolId}-${found.debtors.asOf}`, document: { ...first, following } };
}

function letterOf(context: RenderContext, debtor: Debtor, open: readonly OpenInvoice[], day: string): PrintedDocument {
  const { locale, words, now } = context;
  const { id, name } = debtor.student;
  const facts: PrintedDocument['facts'] = [
    [words.daysOverdue, String(debtor.daysOverdue)],
    [words.currency, locale.currency()],
    [words.generated, locale.moment(now)],
  ];
  // Who owes nothing late yet is reminded, not asked to pay soon.
  const text = debtor.daysOverdue > 0 ? words.letterText : words.letterTextNotDue;
  const base = frame(context, words.letter, `${words.asOf} ${locale.day(day)}`, undefined);
  return {
    ...base,
    party: { label: words.student, name, details: [`${words.studentNumber} ${id}`] },
    footer: `${words.letter} · ${name} · ${words.generated} ${locale.moment(now)}`,
    facts,
    body: [fill(text, { day: locale.longDay(day), student: name })],
    tables: [tableOf(context, debtor, open)],
    totals: [
      [words.overdue, locale.money(debtor.overdue)],
      [words.totalOwed, locale.money(debtor.pending)],
    ],
    instructions: instructionsOf(context),
  };
}

function tableOf(
  context: RenderContext,
  { pending, currency, invoiceCount }: Debtor,
  open: readonly OpenInvoice[],
): PrintedTable {
  const { locale, words, invoiceTitle } = context;
  const shown = open.slice(0, rowsMax(context));
  const shownPending = sumMoney(
    currency,
    shown.map((invoice) => parseMoney(invoice.pending, currency)),
  );
  const rest = subtractMoney(parseMoney(pending, currency), shownPending);
  const count = invoiceCount - shown.length;
  return {
    caption: null,
    columns: [
      { label: words.document, kind: 'word' },
      { label: words.concept, kind: 'text' },
      { label: words.due, kind: 'word' },
      { label: words.daysOverdue, kind: 'amount' },
      { label: words.amount, kind: 'amount' },
      { label: words.pending, kind: 'amount' },
    ],
    rows: [
      ...shown.map((invoice) => [
        invoice.number,
        shortened(invoice.description ?? invoiceTitle),
        locale.day(invoice.dueDate),
        String(invoice.daysOverdue),
        locale.amount(invoice.total),
        locale.amount(invoice.pending),
      ]),
      ...(count > 0
        ? [['', fill(words.others, { count: String(count) }), '', '', '', locale.amount(formatMoney(rest))]]
        : []),
    ],
    sums: [words.total, '', '', '', '', locale.amount(pending)],
    emptyText: '',
  };
}

/** The longer the instructions, the fewer invoices have room beside them. */
function rowsMax(context: RenderContext): number {
  const lines = instructionsOf(context)?.lines ?? [];
  const height = lines.reduce((sum, line) => sum + Math.ceil(line.length / LINE_LETTERS), 0);
  return Math.max(ROWS_MIN, Math.min(ROWS_MAX, PAGE_LINES - height));
}

/** A page that says so: a file without one cannot be opened. */
function nobody(context: RenderContext, day: string): PrintedDocument {
  const { locale, words } = context;
  return {
    ...frame(context, words.letter, `${words.asOf} ${locale.day(day)}`, undefined),
    facts: [],
    body: [words.noDebtors],
    tables: [],
    totals: [],
  };
}

function tooManyLetters(total: number): DomainError {
  return new DomainError(
    'document_too_long',
    `A PDF holds at most ${LETTERS_MAX} letters, and there are ${total} debtors. Ask for some at a time with limit and offset, or for CSV, which has no limit`,
  );
}
