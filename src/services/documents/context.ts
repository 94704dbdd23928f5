import type { BilledFamily } from '../../domain/accounts/family.ts';
import type { School } from '../../domain/accounts/school.ts';
import type { Student } from '../../domain/accounts/student.ts';
import type { Clock, PrintedDocument } from '../../domain/shared/ports.ts';
import type { UnitOfWork } from '../../repositories/shared/unit-of-work.ts';
import type { LedgerService } from '../reporting/ledger-service.ts';
import type { ReportService } from '../reporting/report-service.ts';
import type { StatementService } from '../reporting/statement-service.ts';
import { familyDetails } from './family-details.ts';
import { letterhead, linesOf } from './letterhead.ts';
import { defaultLanguage, type Language, Locale, paperOf } from './locale.ts';
import { WORDS, type Words } from './words/words.ts';

/** What documents are read from. */
export type Sources = Readonly<{
  unitOfWork: UnitOfWork;
  clock: Clock;
  statements: StatementService;
  ledgers: LedgerService;
  reports: ReportService;
}>;

/** `name` is that of the file: ASCII, without a person's name in it, and without an ending. */
export type NamedDocument = Readonly<{ name: string; document: PrintedDocument }>;

/** What every part of a document is written with. `invoiceTitle` is what the school calls its invoices. */
export type RenderContext = Readonly<{
  school: School;
  locale: Locale;
  words: Words;
  invoiceTitle: string;
  now: Date;
}>;

/** @param language null takes that of the school's country */
export function renderContext({ clock }: Sources, school: School, language: Language | null): RenderContext {
  const { country, currency, timezone } = school;
  const chosen = language ?? defaultLanguage(country);
  const locale = new Locale({ language: chosen, country, currency, timezone });
  const words = WORDS[chosen];
  return { school, locale, words, invoiceTitle: school.invoiceTitle ?? words.invoice, now: clock.now() };
}

type Whose = Pick<Student, 'id' | 'firstName' | 'lastName' | 'email'> | BilledFamily;

/** What all documents share: who issues it to whom, and the foot of the page. */
export function frame(
  { school, locale, words, now }: RenderContext,
  title: string,
  subtitle: string,
  whose: Whose | undefined,
): Omit<PrintedDocument, 'facts' | 'tables' | 'totals'> {
  const party = whose === undefined ? null : partyOf(whose, school, words);
  return {
    language: locale.tag,
    paper: paperOf(school.country),
    title,
    subtitle,
    issuer: { name: school.name, details: letterhead(school, locale.country(), words) },
    party,
    mark: null,
    body: [],
    instructions: null,
    notes: [],
    signature: null,
    // A page that was parted from the others still says whose it is.
    footer: `${title} ${subtitle} · ${party?.name ?? school.name} · ${words.generated} ${locale.moment(now)}`,
    pageLabel: words.page,
    createdAt: now,
  };
}

function partyOf(whose: Whose, school: School, words: Words): NonNullable<PrintedDocument['party']> {
  if ('taxId' in whose) {
    return { label: words.family, name: whose.name, details: familyDetails(whose, school.country, words) };
  }
  const { id, firstName, lastName, email } = whose;
  const details = [...(email === null ? [] : [email]), `${words.studentNumber} ${id}`];
  return { label: words.student, name: `${firstName} ${lastName}`, details };
}

/** How to pay, for papers on which something is owed; null where the school does not say. */
export function instructionsOf({ school, words }: RenderContext): PrintedDocument['instructions'] {
  const lines = linesOf(school.paymentInstructions);
  return lines.length === 0 ? null : { caption: words.paymentInstructions, lines };
}
