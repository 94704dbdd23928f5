import type { FastifyReply, FastifyRequest } from 'fastify';
import type { LedgerHeader, LedgerPeriod } from '../../domain/reporting/ledger.ts';
import type { AccountOwner } from '../../domain/reporting/statement.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import type { LedgerService } from '../../services/reporting/ledger-service.ts';
import { JSON_TYPE } from '../edge/idempotency-key.ts';
import { LIST_HEADERS, readDocs } from '../openapi.ts';
import { ACCOUNT_FORMATS, formatOf } from '../responses/content-negotiation.ts';
import { refusePaging, sendCsv } from '../responses/csv.ts';
import { neighbourLinks, readPageRequest } from '../responses/pagination.ts';
import { languageOf, sendPdf } from '../responses/pdf.ts';
import type { Routes } from '../routes.ts';
import { IdParams } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import {
  LedgerQuery,
  SchoolLedgerResponse,
  StudentLedgerResponse,
  toLedgerPeriod,
  toLedgerResponse,
} from '../schemas/ledger.ts';
import type { TSchema } from '../schemas/type.ts';

export function ledgerRoutes(routes: Routes, ledgers: LedgerService, documents: DocumentService): void {
  /** Entries only, so that a program can read the file; its balances go beside it, so that it can check it. */
  async function sendEntries(
    request: FastifyRequest,
    reply: FastifyReply,
    owner: AccountOwner,
    period: LedgerPeriod,
  ): Promise<FastifyReply> {
    const { header, entries: batches, readAt } = await ledgers.open(owner, period);
    reply.header('x-ledger-totals', toDictionary(header));
    const name = `ledger-${owner.kind}-${owner.id}`;
    return await sendCsv(request, reply, { name, columns: CSV_COLUMNS.ledger[owner.kind], rows: { batches, readAt } });
  }

  const register = (kind: 'student' | 'school', schema: TSchema): void => {
    routes.get(
      `/${kind}s/:id/ledger`,
      {
        schema: {
          ...readDocs({
            tag: 'statements',
            id: kind === 'student' ? 'getStudentLedger' : 'getSchoolLedger',
            summary: `What moved the account of a ${kind}, entry by entry`,
            description:
              'In order of value date, with a running balance. Opening balance, totals and closing balance cover the whole period, whatever page of entries is shown; `X-Total-Count` is how many entries there are. The closing balance of an open period is what the statement calls pending. An entry recorded later changes an earlier day only if its value date lies there.',
            refusals: [`${kind}_not_found`, 'document_too_long'],
            formats: ACCOUNT_FORMATS,
            isConditional: true,
            success: { status: 200, schema, description: 'The ledger.', headers: LIST_HEADERS },
          }),
          params: IdParams,
          querystring: LedgerQuery,
        },
      },
      async (request, reply) => {
        const owner = { kind, id: request.params.id };
        const period = toLedgerPeriod(request.query);
        const format = formatOf(request, reply, ACCOUNT_FORMATS, request.query.format);
        if (format !== 'json') refusePaging(request.query);
        if (format === 'csv') return await sendEntries(request, reply, owner, period);
        if (format === 'pdf') {
          const language = languageOf(request, request.query.lang);
          return await sendPdf(reply, await documents.render({ kind: 'ledger', owner, period }, language));
        }
        const page = await ledgers.page(owner, period, readPageRequest(request.query, ['date', 'time', 'id', 'id']));
        const links = neighbourLinks(request, page);
        if (links.length > 0) reply.header('link', links.join(', '));
        reply.header('x-total-count', String(page.header.entryCount));
        return await reply.type(JSON_TYPE).send(toLedgerResponse(owner, page));
      },
    );
  };
  register('student', StudentLedgerResponse);
  register('school', SchoolLedgerResponse);
}

/** RFC 9651. */
function toDictionary({ openingBalance, totals: { debit, credit }, closingBalance }: LedgerHeader): string {
  const members = Object.entries({ opening_balance: openingBalance, debit, credit, closing_balance: closingBalance });
  return members.map(([name, amount]) => `${name}="${amount}"`).join(', ');
}
