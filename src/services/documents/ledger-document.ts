import type { Actor } from '../../domain/access/actor.ts';
import type { Student } from '../../domain/accounts/student.ts';
import type { LedgerHeader, LedgerPeriod } from '../../domain/reporting/ledger.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { PrintedDocument, PrintedTable } from '../../domain/shared/ports.ts';
import { frame, type NamedDocument, type RenderContext, renderContext, type Sources } from './context.ts';
import { collect } from './lines.ts';
import type { Language } from './locale.ts';
import { type MovementText, textOf } from './movement-text.ts';
import { partiesOfAccount } from './parties.ts';
import { fill } from './words/words.ts';

/** A ledger's entry as the projection writes it; `student` in a family's and a school's. */
type LedgerEntry = MovementText &
  Readonly<{
    date: string;
    happened_on: string;
    number: string | null;
    /** Null where a family paid, or was paid back. */
    invoice_id: number | null;
    student?: Readonly<{ id: number; name: string }> | null;
    debit: string;
    credit: string;
    balance: string;
  }>;

/** @throws DomainError `student_not_found`, `family_not_found`, `school_not_found`, `document_too_long` */
export async function readLedger(
  sources: Sources,
  actor: Actor,
  owner: AccountOwner,
  period: LedgerPeriod,
  language: Language | null,
): Promise<NamedDocument> {
  const { school, student, family } = await partiesOfAccount(sources, actor, owner);
  const context = renderContext(sources, school, language);
  const { locale, words, now } = context;
  const { header, entries } = await sources.ledgers.open(actor, owner, period);
  const numbers = new Map<number, string>();
  const write = (entry: LedgerEntry): readonly string[] => [
    locale.day(entry.date),
    entry.type === 'INVOICE' ? context.invoiceTitle : words.entryType[entry.type],
    entry.number ?? '',
    ...(entry.student === undefined ? [] : [entry.student?.name ?? '']),
    [
      textOf(entry, words, numberOf(entry, numbers)),
      ...(entry.happened_on === entry.date ? [] : [fill(words.happenedOn, { day: locale.day(entry.happened_on) })]),
    ]
      .filter((text) => text !== '')
      .join(' · '),
    ...[entry.debit, entry.credit].map((amount) => (amount === '0.00' ? '' : locale.amount(amount))),
    locale.amount(entry.balance),
  ];
  const rows = await collect(entries, 'ledger', write, async (batch: readonly LedgerEntry[]) => {
    await addNumbers(sources, actor, numbers, batch);
  });
  const { openingBalance, closingBalance, totals } = header;
  const document: PrintedDocument = {
    ...frame(context, words.ledger, periodText(period, context), student ?? family),
    facts: [
      [words.currency, locale.currency()],
      [words.generated, locale.moment(now)],
    ],
    tables: [tableOf(context, rows, header, student)],
    totals: [
      [words.openingBalance, locale.money(openingBalance)],
      [words.debits, locale.money(totals.debit)],
      [words.credits, locale.money(totals.credit)],
      [words.closingBalance, locale.money(closingBalance)],
    ],
  };
  return { name: `ledger-${owner.kind}-${owner.id}-${locale.isoDay(now)}`, document };
}

/** The invoice that an entry corrects. */
function correctedId({ type, invoice_id }: LedgerEntry): number[] {
  const corrects = type === 'CREDIT_NOTE' || type === 'CREDIT_NOTE_REVERSAL';
  return corrects && invoice_id !== null ? [invoice_id] : [];
}

function numberOf(entry: LedgerEntry, numbers: ReadonlyMap<number, string>): string | null {
  return correctedId(entry).map((id) => numbers.get(id) ?? null)[0] ?? null;
}

/** Looks up the numbers of the invoices that credit notes correct: the JSON of an entry names them by id. */
async function addNumbers(
  { unitOfWork }: Sources,
  actor: Actor,
  numbers: Map<number, string>,
  entries: readonly LedgerEntry[],
): Promise<void> {
  const missing = new Set(entries.flatMap(correctedId));
  for (const id of numbers.keys()) missing.delete(id);
  if (missing.size === 0) return;
  const found = await unitOfWork.read(async ({ invoices }) => await invoices.listNumbers(actor, [...missing]));
  for (const { id, number } of found) numbers.set(id, number);
}

/** @param student whose ledger it is; undefined for another's, whose entries name the students */
function tableOf(
  { locale, words }: RenderContext,
  rows: readonly (readonly string[])[],
  { openingBalance, closingBalance, totals }: LedgerHeader,
  student: Student | undefined,
): PrintedTable {
  const blank = Array<string>(student === undefined ? 4 : 3).fill('');
  return {
    caption: null,
    columns: [
      { label: words.date, kind: 'word' },
      { label: words.movement, kind: 'word' },
      { label: words.document, kind: 'word' },
      ...(student === undefined ? ([{ label: words.student, kind: 'text' }] as const) : []),
      { label: words.concept, kind: 'whole' },
      { label: words.debit, kind: 'amount' },
      { label: words.credit, kind: 'amount' },
      { label: words.balance, kind: 'amount' },
    ],
    rows: [[words.openingBalance, ...blank, '', '', locale.amount(openingBalance)], ...rows],
    sums: [words.total, ...blank, ...[totals.debit, totals.credit, closingBalance].map((sum) => locale.amount(sum))],
    emptyText: words.noMovements,
  };
}

function periodText({ from, to, asOf }: LedgerPeriod, { locale, words, now }: RenderContext): string {
  const last = [to, asOf].filter((day) => day !== null).sort()[0];
  const end = last === undefined ? `${words.asOf} ${locale.dayOf(now)}` : `${words.to} ${locale.day(last)}`;
  return from === null ? end : `${words.from} ${locale.day(from)} · ${end}`;
}
