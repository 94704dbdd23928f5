import type { ReportService } from '../../services/reporting/report-service.ts';
import { JSON_TYPE } from '../edge/idempotency-key.ts';
import { LIST_HEADERS, readDocs } from '../openapi.ts';
import { formatOf, LIST_FORMATS } from '../responses/content-negotiation.ts';
import { refusePaging, rowsOf, sendCsv } from '../responses/csv.ts';
import { LIMIT_DEFAULT, link } from '../responses/pagination.ts';
import type { Routes } from '../routes.ts';
import { IdParams } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import { refuseBackwards } from '../schemas/period.ts';
import {
  AgingQuery,
  DebtorResponse,
  DebtorsQuery,
  SchoolAgingResponse,
  StudentAgingResponse,
  SummaryQuery,
  SummaryResponse,
  toAgingResponse,
  toAgingRows,
  toDebtorResponse,
  toSummaryResponse,
} from '../schemas/report.ts';
import { type TSchema, Type } from '../schemas/type.ts';

export function reportRoutes(routes: Routes, reports: ReportService): void {
  agingRoutes(routes, reports);
  debtorRoutes(routes, reports);
  summaryRoutes(routes, reports);
}

function agingRoutes(routes: Routes, reports: ReportService): void {
  const register = (kind: 'student' | 'school', schema: TSchema): void => {
    routes.get(
      `/${kind}s/:id/aging`,
      {
        schema: {
          ...readDocs({
            tag: 'reports',
            id: kind === 'student' ? 'getStudentAging' : 'getSchoolAging',
            summary: `What a ${kind} owes, by how long it has been due`,
            description:
              "Days are counted by the school's calendar; the due day itself is not overdue. The groups are disjoint and add up to `pending`.",
            refusals: [`${kind}_not_found`],
            success: { status: 200, schema, description: 'The age groups.' },
            formats: LIST_FORMATS,
          }),
          params: IdParams,
          querystring: AgingQuery,
        },
      },
      async (request, reply) => {
        const owner = { kind, id: request.params.id };
        const format = formatOf(request, reply, LIST_FORMATS, request.query.format);
        const aging = await reports.aging(owner, request.query.as_of ?? null);
        if (format === 'csv') {
          const rows = rowsOf(toAgingRows(aging), aging.asOf);
          return await sendCsv(request, reply, { name: `aging-${kind}-${owner.id}`, columns: CSV_COLUMNS.aging, rows });
        }
        return await reply.type(JSON_TYPE).send(toAgingResponse(owner, aging));
      },
    );
  };
  register('student', StudentAgingResponse);
  register('school', SchoolAgingResponse);
}

function debtorRoutes(routes: Routes, reports: ReportService): void {
  routes.get(
    '/schools/:id/debtors',
    {
      schema: {
        ...readDocs({
          tag: 'reports',
          id: 'listDebtors',
          summary: 'List the students who owe something',
          refusals: ['school_not_found'],
          success: { status: 200, schema: Type.Array(DebtorResponse), description: 'A page.', headers: LIST_HEADERS },
          formats: LIST_FORMATS,
        }),
        params: IdParams,
        querystring: DebtorsQuery,
      },
    },
    async (request, reply) => {
      const { order = 'amount', as_of: asOf = null, limit = LIMIT_DEFAULT, offset = 0 } = request.query;
      if (formatOf(request, reply, LIST_FORMATS, request.query.format) === 'csv') {
        refusePaging(request.query);
        const schoolId = request.params.id;
        const all = await reports.debtors(schoolId, { order, asOf }, { limit: null, offset: 0 });
        const rows = rowsOf(all.debtors.map(toDebtorResponse), all.asOf);
        return await sendCsv(request, reply, {
          name: `debtors-school-${schoolId}`,
          columns: CSV_COLUMNS.debtors,
          rows,
        });
      }
      const { debtors, total } = await reports.debtors(request.params.id, { order, asOf }, { limit, offset });
      const links: string[] = [];
      if (offset + limit < total) links.push(link(request, 'next', { offset: String(offset + limit) }));
      if (offset > 0) links.push(link(request, 'prev', { offset: String(Math.max(0, offset - limit)) }));
      if (links.length > 0) reply.header('link', links.join(', '));
      reply.header('x-total-count', String(total));
      return await reply.type(JSON_TYPE).send(JSON.stringify(debtors.map(toDebtorResponse)));
    },
  );
}

function summaryRoutes(routes: Routes, reports: ReportService): void {
  routes.get(
    '/schools/:id/summary',
    {
      schema: {
        ...readDocs({
          tag: 'reports',
          id: 'getSchoolSummary',
          summary: 'What a school billed and collected in a range of days, and what is owed at its end',
          description:
            'By value date, in the calendar of the school: what was owed before the range, plus invoiced, less credited, voided and net_collected, is `pending`. Default: this month up to today.',
          refusals: ['school_not_found'],
          success: { status: 200, schema: SummaryResponse, description: 'The summary.' },
        }),
        params: IdParams,
        querystring: SummaryQuery,
      },
    },
    async (request, reply) => {
      const { from, to } = request.query;
      refuseBackwards(from, 'to', to);
      const summary = await reports.summary(request.params.id, { from: from ?? null, to: to ?? null });
      return await reply.type(JSON_TYPE).send(toSummaryResponse(summary));
    },
  );
}
