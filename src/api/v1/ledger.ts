import type { FastifyInstance } from 'fastify';
import type { LedgerHeader } from '../../domain/reporting/ledger.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import type { LedgerService } from '../../services/reporting/ledger-service.ts';
import { leftSignal } from '../edge/load/on-closed.ts';
import { one } from '../endpoint.ts';
import { LIST_HEADERS } from '../openapi.ts';
import { neighbourLinks, placeIn, readPageRequest } from '../responses/pagination.ts';
import { ACCOUNTS, IdParams } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import {
  FamilyLedgerResponse,
  LedgerQuery,
  SchoolLedgerResponse,
  StudentLedgerResponse,
  toLedgerPeriod,
  toLedgerResponse,
} from '../schemas/ledger.ts';

const KINDS = {
  student: { id: 'getStudentLedger', schema: StudentLedgerResponse },
  family: { id: 'getFamilyLedger', schema: FamilyLedgerResponse },
  school: { id: 'getSchoolLedger', schema: SchoolLedgerResponse },
};

type Services = Readonly<{ ledgers: LedgerService; documents: DocumentService }>;

export function ledgerRoutes(routes: FastifyInstance, services: Services): void {
  ledgerRoute(routes, 'student', services);
  ledgerRoute(routes, 'family', services);
  ledgerRoute(routes, 'school', services);
}

function ledgerRoute(routes: FastifyInstance, kind: AccountOwner['kind'], { ledgers, documents }: Services): void {
  one(routes, `/${ACCOUNTS[kind]}/:id/ledger`, {
    tag: 'statements',
    id: KINDS[kind].id,
    scope: 'reports:read',
    summary: `What moved the account of a ${kind}, entry by entry`,
    description:
      'In order of the days entries are booked on, with a running balance. Opening balance, totals and closing balance cover the whole period, whatever page of entries is shown; `X-Total-Count` is how many entries there are. The closing balance of an open period is what the statement calls pending, or balance where there is credit. An entry recorded later changes an earlier day only if it is booked on that day or before.',
    refusals: [`${kind}_not_found`, 'document_too_long'],
    answer: { schema: KINDS[kind].schema, description: 'The ledger.', headers: LIST_HEADERS },
    isConditional: true,
    ...(kind === 'school' ? { personalData: { of: 'ledger' } } : {}),
    params: IdParams,
    query: LedgerQuery,
    json: async ({ actor, params: { id }, query, request, reply }) => {
      const owner = { kind, id };
      const period = toLedgerPeriod(query);
      const place = placeIn(KINDS[kind].id, { id, period }, ['date', 'time', 'id', 'id', 'id']);
      const page = await ledgers.page(actor, owner, period, readPageRequest(query, place));
      const links = neighbourLinks(request, page, place);
      if (links.length > 0) reply.header('link', links.join(', '));
      reply.header('x-total-count', String(page.header.entryCount));
      return toLedgerResponse(owner, page);
    },
    // Entries only, so that a program can read the file; its balances go beside it, so that it can check it.
    table: async ({ actor, params: { id }, query, reply }) => {
      const period = toLedgerPeriod(query);
      const left = leftSignal(reply.raw);
      const { header, entries: batches, readAt } = await ledgers.open(actor, { kind, id }, period, left);
      const headers = { 'x-ledger-totals': toDictionary(header) };
      return { name: `ledger-${kind}-${id}`, columns: CSV_COLUMNS.ledger[kind], rows: { batches, readAt }, headers };
    },
    pdf: async ({ actor, params: { id }, query }, order) =>
      await documents.render(actor, { kind: 'ledger', owner: { kind, id }, period: toLedgerPeriod(query) }, order),
  });
}

/** RFC 9651. */
function toDictionary({ openingBalance, totals: { debit, credit }, closingBalance }: LedgerHeader): string {
  const members = Object.entries({ opening_balance: openingBalance, debit, credit, closing_balance: closingBalance });
  return members.map(([name, amount]) => `${name}="${amount}"`).join(', ');
}
