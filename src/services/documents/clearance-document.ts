import type { Actor } from '../../domain/access/actor.ts';
import type { PrintedDocument } from '../../domain/shared/ports.ts';
import { frame, type NamedDocument, renderContext, type Sources } from './context.ts';
import type { Language } from './locale.ts';
import { fill } from './words/words.ts';

/** Countries where the paper is a "paz y salvo". */
const PAZ_Y_SALVO = new Set(['CO', 'EC']);

/** @throws DomainError `student_not_found`, `balance_pending` */
export async function readClearance(
  sources: Sources,
  actor: Actor,
  studentId: number,
  language: Language | null,
): Promise<NamedDocument> {
  const { student, school, day } = await sources.reports.clearance(actor, studentId);
  const context = renderContext(sources, school, language);
  const { locale, words, now } = context;
  const title = PAZ_Y_SALVO.has(school.country) ? words.clearanceAndean : words.clearance;
  const values = {
    school: school.legalName ?? school.name,
    student: `${student.firstName} ${student.lastName}`,
    id: String(student.id),
    day: locale.longDay(day),
  };
  const document: PrintedDocument = {
    ...frame(context, title, locale.day(day), student),
    facts: [
      [words.balanceDue, locale.money('0.00')],
      [words.currency, locale.currency()],
      [words.generated, locale.moment(now)],
    ],
    body: [fill(words.clearanceText, values), words.clearanceTail],
    tables: [],
    totals: [],
    signature: words.signature,
  };
  return { name: `clearance-student-${student.id}-${day}`, document };
}
