import { cursorText, placeIn } from '../../src/api/responses/pagination.ts';
import { ANONYMOUS } from '../../src/domain/access/actor.ts';
import { InvoiceService } from '../../src/services/billing/invoice-service.ts';
import { StatementService } from '../../src/services/reporting/statement-service.ts';
import { requestText } from '../server.ts';
import { at, type Case, getText, spread, VARIETY } from './case.ts';
import type { Ids } from './ids.ts';

const LIMIT = 100;

type Dependencies = ConstructorParameters<typeof InvoiceService>[0];

export function readCases(ids: Ids, cursors: readonly [string, number][], dependencies: Dependencies): Case[] {
  const statements = new StatementService(dependencies);
  const invoices = new InvoiceService(dependencies);
  const students = spread(VARIETY, ids.students);
  const schools = spread(ids.schools, ids.schools);
  const anyInvoices = spread(VARIETY, ids.invoices);
  const offset = Math.floor(ids.invoices / 1.2);
  const page = { limit: LIMIT, offset: 0, cursor: null };
  const place = placeIn('listInvoices', {}, ['time', 'id']);
  return [
    {
      name: 'student-statement',
      title: `GET student statement (24 lines)`,
      reference: { 1: 230, 16: 230 },
      limitThere: { of: 'sqlRoute', 1: 1_704, 16: 3_729 },
      goal: { 1: 5, 16: 11 },
      limitGoal: 0.8,
      requests: students.map((id) => getText(`/students/${id}/statement`)),
      replay: async (i) =>
        await statements.open(ANONYMOUS, { kind: 'student', id: at(students, i) }, { limit: null, offset: 0 }),
    },
    {
      name: 'family-statement',
      title: 'GET family statement (96 lines)',
      requests: ids.families.map(({ id }) => getText(`/families/${id}/statement`)),
      hasLimits: false,
    },
    {
      name: 'school-statement',
      title: `GET school statement ?limit=${LIMIT}`,
      reference: { 1: 17.6, 16: 20.3 },
      goal: { 1: 30, 16: 40 },
      requests: schools.map((id) => getText(`/schools/${id}/statement?limit=${LIMIT}`)),
      replay: async (i) =>
        await statements.open(ANONYMOUS, { kind: 'school', id: at(schools, i) }, { limit: LIMIT, offset: 0 }),
    },
    {
      name: 'invoices-first',
      title: 'GET invoices, first 100',
      reference: { 1: 16, 16: 19 },
      limitThere: { of: 'sql', 1: 3_106, 16: 3_838 },
      goal: { 1: 50, 16: 50 },
      requests: [getText(`/invoices?limit=${LIMIT}`)],
      replay: async () => await invoices.list(ANONYMOUS, {}, page, 'exact'),
    },
    {
      name: 'invoices-cursor',
      title: 'GET invoices, any page by cursor',
      requests: cursors.map(([time, id]) => {
        const cursor = cursorText({ direction: 'after', key: [time, id] }, place);
        return getText(`/invoices?limit=${LIMIT}&cursor=${cursor}`);
      }),
      replay: async (i) =>
        await invoices.list(ANONYMOUS, {}, { ...page, cursor: { direction: 'after', key: at(cursors, i) } }, 'exact'),
    },
    {
      name: 'invoices-offset',
      title: 'GET invoices, offset of five sixths of them',
      reference: { 1: 5.7, 16: 8.6 },
      limitThere: { of: 'sql', 1: 56, 16: 82 },
      goal: { 1: 8, 16: 8 },
      requests: [getText(`/invoices?limit=${LIMIT}&offset=${offset}`)],
      replay: async () => await invoices.list(ANONYMOUS, {}, { ...page, offset }, 'exact'),
    },
    {
      name: 'invoice',
      title: 'GET invoice',
      reference: { 1: 718, 16: 625 },
      limitThere: { of: 'sqlRoute', 1: 6_417, 16: 20_214 },
      goal: { 1: 4, 16: 10 },
      limitGoal: 0.7,
      requests: anyInvoices.map((id) => getText(`/invoices/${id}`)),
      replay: async (i) => await invoices.findJson(ANONYMOUS, at(anyInvoices, i)),
    },
    {
      name: 'health',
      title: 'GET health',
      reference: { 1: 3_918, 16: 9_212 },
      limitThere: { of: 'bodyRoute', 1: 14_000, 16: 65_700 },
      goal: { 1: 3, 16: 5 },
      requests: [requestText('GET', '/health')],
    },
    {
      name: 'school-statement-full',
      title: 'GET school statement, all 9,120 lines',
      clients: [1, 8],
      hasLimits: false,
      requests: schools.map((id) => getText(`/schools/${id}/statement`)),
    },
  ];
}
