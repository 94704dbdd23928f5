import type { Actor } from '../../domain/access/actor.ts';
import type { OpenInvoice, OpenInvoiceOfPayer } from '../../domain/reporting/debt.ts';
import type { Debtor, DebtorGroup, DebtorOrder, FamilyDebtor } from '../../domain/reporting/summary.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import { formatMoney, parseMoney, subtractMoney, sumMoney } from '../../domain/shared/money.ts';
import type { PrintedDocument, PrintedTable } from '../../domain/shared/ports.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
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
import { fill, type Words } from './words/words.ts';

/** Which debtors: as their list is asked for. `limit` null is all of them, of which there may be {@link LETTERS_MAX}. */
export type LettersOrder = Readonly<{
  groupBy: DebtorGroup;
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

/** A letter to be written: to a student's, or to a family. `open` has a student's name where it is a family's. */
type Letter = Readonly<{ debtor: AnyDebtor; open: readonly (OpenInvoice | OpenInvoiceOfPayer)[] }>;
type AnyDebtor = Omit<FamilyDebtor, 'student'> & Partial<Pick<Debtor, 'student'>>;
type Letters = Readonly<{ asOf: string; total: number; letters: readonly Letter[] }>;

/**
 * A letter to each debtor, each on a page: what is owed, the longest due first. What no page holds is summed up in one row,
 * so the total is always that of all. By families there is one for each, to its principal guardian.
 *
 * @throws DomainError `school_not_found`, `document_too_long`
 */
export async function readDebtorLetters(
  sources: Sources,
  actor: Actor,
  schoolId: number,
  which: LettersOrder,
  language: Language | null,
): Promise<NamedDocument> {
  const now = sources.clock.now();
  const { school, found } = await sources.unitOfWork.snapshot(async (repositories) => {
    const school = await repositories.schools.find(actor, schoolId);
    const read = which.groupBy === 'family' ? readFamilies : readStudents;
    const found = school && (await read(actor, repositories, schoolId, which, now));
    if (school === undefined || found === undefined) throw accountNotFound({ kind: 'school', id: schoolId });
    return { school, found };
  });
  const context = renderContext(sources, school, language);
  const letters = found.letters.map((letter) => letterOf(context, letter, found.asOf));
  const [first = nobody(context, found.asOf), ...following] = letters;
  return { name: `debtors-school-${schoolId}-${found.asOf}`, document: { ...first, following } };
}

/** @throws DomainError `document_too_long` */
async function readStudents(
  actor: Actor,
  { reports, debts }: Repositories,
  schoolId: number,
  { order, asOf, limit, offset }: LettersOrder,
  now: Date,
): Promise<Letters | undefined> {
  const found = await reports.findDebtors(actor, schoolId, { order, asOf }, rangeOf(limit, offset), now);
  if (found === undefined) return undefined;
  if (found.debtors.length > LETTERS_MAX) throw tooManyLetters(found.total);
  const students = found.debtors.map(({ student }) => student.id);
  const owner = { kind: 'school', id: schoolId } as const;
  const open = await debts.listOpenInvoices(actor, owner, { students, asOf, eachMax: ROWS_MAX, now });
  const of = grouped(open, ({ studentId }) => studentId);
  const letters = found.debtors.map((debtor) => ({
    debtor: { ...debtor, family: null, guardian: null, credit: '0.00', balance: debtor.pending },
    open: of.get(debtor.student.id) ?? [],
  }));
  return { asOf: found.asOf, total: found.total, letters };
}

/** @throws DomainError `document_too_long` */
async function readFamilies(
  actor: Actor,
  { debts }: Repositories,
  schoolId: number,
  { order, asOf, limit, offset }: LettersOrder,
  now: Date,
): Promise<Letters | undefined> {
  const found = await debts.findFamilyDebtors(actor, schoolId, { order, asOf }, rangeOf(limit, offset), now);
  if (found === undefined) return undefined;
  if (found.debtors.length > LETTERS_MAX) throw tooManyLetters(found.total);
  const families = found.debtors.flatMap(({ family }) => (family === null ? [] : [family.id]));
  const students = found.debtors.flatMap(({ student }) => (student === null ? [] : [student.id]));
  const which = { families, students, asOf, eachMax: ROWS_MAX, now };
  const open = await debts.listOpenInvoicesOfPayers(actor, schoolId, which);
  const keyOf = (familyId: number | null, studentId: number): string =>
    familyId === null ? `student ${studentId}` : `family ${familyId}`;
  const of = grouped(open, ({ familyId, studentId }) => keyOf(familyId, studentId));
  const letters = found.debtors.map(({ student, ...debtor }) => ({
    debtor: { ...debtor, ...(student === null ? {} : { student }) },
    open: of.get(keyOf(debtor.family?.id ?? null, student?.id ?? 0)) ?? [],
  }));
  return { asOf: found.asOf, total: found.total, letters };
}

function grouped<Key, One>(all: readonly One[], keyOf: (one: One) => Key): Map<Key, One[]> {
  const groups = new Map<Key, One[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  return groups;
}

function rangeOf(limit: number | null, offset: number): Readonly<{ limit: number; offset: number }> {
  return { limit: Math.min(limit ?? LETTERS_MAX + 1, LETTERS_MAX + 1), offset };
}

function letterOf(context: RenderContext, letter: Letter, day: string): PrintedDocument {
  const { locale, words, now } = context;
  const { debtor } = letter;
  const party = partyOf(debtor, words);
  const name = debtor.family?.name ?? party.name;
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
    party,
    footer: `${words.letter} · ${name} · ${words.generated} ${locale.moment(now)}`,
    facts,
    body: [fill(text, { day: locale.longDay(day), student: name })],
    tables: [tableOf(context, letter)],
    totals: [
      [words.overdue, locale.money(debtor.overdue)],
      [words.totalOwed, locale.money(debtor.pending)],
      ...(debtor.credit === '0.00'
        ? []
        : ([
            [words.paidAhead, locale.money(debtor.credit)],
            [words.balanceLessCredit, locale.money(debtor.balance)],
          ] as const)),
    ],
    instructions: instructionsOf(context),
  };
}

/** To the guardian to call, where the family has one. */
function partyOf({ family, student, guardian }: AnyDebtor, words: Words): NonNullable<PrintedDocument['party']> {
  if (family === null) {
    const { id, name } = student ?? { id: 0, name: '' };
    return { label: words.student, name, details: [`${words.studentNumber} ${id}`] };
  }
  const number = `${words.familyNumber} ${family.id}`;
  if (guardian === null) return { label: words.family, name: family.name, details: [number] };
  const contact = [guardian.email, guardian.phone].filter((one) => one !== null).join(' · ');
  const details = [family.name, ...(contact === '' ? [] : [contact]), number];
  return { label: words.addressee, name: guardian.name, details };
}

function tableOf(context: RenderContext, { debtor, open }: Letter): PrintedTable {
  const { pending, currency, invoiceCount, family } = debtor;
  const nameOf = (invoice: OpenInvoice | OpenInvoiceOfPayer): string[] =>
    family === null ? [] : ['studentName' in invoice ? invoice.studentName : ''];
  const blank = family === null ? [] : [''];
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
      ...(family === null ? [] : ([{ label: words.student, kind: 'text' }] as const)),
      { label: words.concept, kind: 'text' },
      { label: words.due, kind: 'word' },
      { label: words.daysOverdue, kind: 'amount' },
      { label: words.amount, kind: 'amount' },
      { label: words.pending, kind: 'amount' },
    ],
    rows: [
      ...shown.map((invoice) => [
        invoice.number,
        ...nameOf(invoice),
        shortened(invoice.description ?? invoiceTitle),
        locale.day(invoice.dueDate),
        String(invoice.daysOverdue),
        locale.amount(invoice.total),
        locale.amount(invoice.pending),
      ]),
      ...(count > 0
        ? [['', ...blank, fill(words.others, { count: String(count) }), '', '', '', locale.amount(formatMoney(rest))]]
        : []),
    ],
    sums: [words.total, ...blank, '', '', '', '', locale.amount(pending)],
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
