import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Actor } from '../../domain/access/actor.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { DebtorGroup, DebtorOrder } from '../../domain/reporting/summary.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import type { ReportService } from '../../services/reporting/report-service.ts';
import { one } from '../endpoint.ts';
import { LIST_HEADERS } from '../openapi.ts';
import { LIMIT_DEFAULT, sendOffsetLinks } from '../responses/pagination.ts';
import { rowsOf } from '../responses/table.ts';
import { ACCOUNTS, IdParams } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import { refuseBackwards } from '../schemas/period.ts';
import {
  AgingQuery,
  ClearanceResponse,
  DebtorResponse,
  DebtorsQuery,
  FamilyAgingResponse,
  SchoolAgingResponse,
  StudentAgingResponse,
  toAgingResponse,
  toAgingRows,
  toClearanceResponse,
  toDebtorResponse,
  toFamilyDebtorResponse,
} from '../schemas/report.ts';
import { SummaryQuery, SummaryResponse, toSummaryResponse, toSummaryRows } from '../schemas/summary.ts';

const tag = 'reports';

const AGING = {
  student: { id: 'getStudentAging', schema: StudentAgingResponse },
  family: { id: 'getFamilyAging', schema: FamilyAgingResponse },
  school: { id: 'getSchoolAging', schema: SchoolAgingResponse },
};

type Services = Readonly<{ reports: ReportService; documents: DocumentService }>;

export function reportRoutes(routes: FastifyInstance, { reports, documents }: Services): void {
  agingRoute(routes, 'student', reports);
  agingRoute(routes, 'family', reports);
  agingRoute(routes, 'school', reports);

  one(routes, '/schools/:id/debtors', {
    tag,
    id: 'listDebtors',
    scope: 'reports:read',
    personalData: { of: 'debtors' },
    summary: 'List the students, or the families, who owe something',
    description: 'As PDF a letter to each student or family, a page each; `limit` and `offset` choose some of them.',
    refusals: ['school_not_found', 'document_too_long'],
    answer: {
      schema: Type.Array(DebtorResponse),
      description: 'A page.',
      headers: LIST_HEADERS,
    },
    params: IdParams,
    query: DebtorsQuery,
    json: async ({ actor, params: { id }, query, request, reply }) => {
      const { limit = LIMIT_DEFAULT, offset = 0 } = query;
      const { debtors, total } = await debtorsBy(reports, actor, id, query, { limit, offset });
      sendOffsetLinks(request, reply, { limit, offset, total });
      return debtors;
    },
    table: async ({ actor, params: { id }, query }) => {
      const { debtors, asOf } = await debtorsBy(reports, actor, id, query, { limit: null, offset: 0 });
      const columns = query.group_by === 'family' ? CSV_COLUMNS.familyDebtors : CSV_COLUMNS.debtors;
      return { name: `debtors-school-${id}`, columns, rows: rowsOf(debtors, asOf) };
    },
    // Letters, whose longest debt comes first unless the list is asked for in its other order.
    pdf: async ({ actor, params: { id }, query }, printing) => {
      const { group_by: groupBy = 'student', order = 'days', as_of: asOf = null, limit = null, offset = 0 } = query;
      const which = { groupBy, order, asOf, limit, offset };
      return await documents.render(actor, { kind: 'letters', schoolId: id, which }, printing);
    },
    isPdfPaged: true,
  });

  one(routes, '/students/:id/clearance', {
    tag,
    id: 'getClearance',
    scope: 'reports:read',
    summary: 'Certify that a student owes nothing',
    description: 'A PDF unless JSON is asked for. Refused while as little as 0.01 is pending.',
    refusals: ['student_not_found', 'balance_pending'],
    answer: { schema: ClearanceResponse, description: 'The student owes nothing.' },
    params: IdParams,
    json: async ({ actor, params: { id } }) => toClearanceResponse(await reports.clearance(actor, id)),
    pdf: async ({ actor, params: { id } }, printing) =>
      await documents.render(actor, { kind: 'clearance', studentId: id }, printing),
    isPdfFirst: true,
  });

  one(routes, '/schools/:id/summary', {
    tag,
    id: 'getSchoolSummary',
    scope: 'reports:read',
    summary: 'What a school billed and collected in a range of days, and what is owed at its end',
    description:
      'By the days things are booked on, in the calendar of the school: opening + invoiced - credited - voided - collected + reversed + refunded = pending - credit. Default: this month up to today.',
    refusals: ['school_not_found'],
    answer: { schema: SummaryResponse, description: 'The summary.' },
    params: IdParams,
    query: SummaryQuery,
    json: async ({ actor, params: { id }, query: { from, to } }) => {
      refuseBackwards(from, 'to', to);
      return toSummaryResponse(await reports.summary(actor, id, { from: from ?? null, to: to ?? null }));
    },
    table: async ({ actor, params: { id }, query: { from, to } }) => {
      refuseBackwards(from, 'to', to);
      const summary = await reports.summary(actor, id, { from: from ?? null, to: to ?? null });
      const rows = rowsOf(toSummaryRows(summary), summary.to);
      return { name: `summary-school-${id}`, columns: CSV_COLUMNS.summary, rows };
    },
  });
}

type DebtorsBy = Readonly<{ group_by?: DebtorGroup; order?: DebtorOrder; as_of?: string }>;

/** As the API shows them. */
async function debtorsBy(
  reports: ReportService,
  actor: Actor,
  schoolId: number,
  query: DebtorsBy,
  range: Readonly<{ limit: number | null; offset: number }>,
): Promise<Readonly<{ debtors: readonly object[]; total: number; asOf: string }>> {
  const by = { order: query.order ?? 'amount', asOf: query.as_of ?? null };
  if (query.group_by !== 'family') {
    const found = await reports.debtors(actor, schoolId, by, range);
    return { ...found, debtors: found.debtors.map(toDebtorResponse) };
  }
  const found = await reports.familyDebtors(actor, schoolId, by, range);
  return { ...found, debtors: found.debtors.map(toFamilyDebtorResponse) };
}

function agingRoute(routes: FastifyInstance, kind: AccountOwner['kind'], reports: ReportService): void {
  one(routes, `/${ACCOUNTS[kind]}/:id/aging`, {
    tag,
    id: AGING[kind].id,
    scope: 'reports:read',
    summary: `What a ${kind} owes, by how long it has been due`,
    description:
      "Days are counted by the school's calendar; the due day itself is not overdue. The groups are disjoint and add up to `pending`; what was paid ahead is in none.",
    refusals: [`${kind}_not_found`],
    answer: { schema: AGING[kind].schema, description: 'The age groups.' },
    params: IdParams,
    query: AgingQuery,
    json: async ({ actor, params: { id }, query: { as_of: asOf = null } }) =>
      toAgingResponse({ kind, id }, await reports.aging(actor, { kind, id }, asOf)),
    table: async ({ actor, params: { id }, query: { as_of: asOf = null } }) => {
      const aging = await reports.aging(actor, { kind, id }, asOf);
      return { name: `aging-${kind}-${id}`, columns: CSV_COLUMNS.aging, rows: rowsOf(toAgingRows(aging), aging.asOf) };
    },
  });
}
