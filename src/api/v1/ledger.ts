import type { TSchema } from '@fastify/type-provider-typebox';
import type { LedgerService } from '../../services/ledger-service.ts';
import { JSON_TYPE } from '../idempotency.ts';
import { LIST_HEADERS, readDocs } from '../openapi.ts';
import { neighbourLinks, readPageRequest } from '../pagination.ts';
import type { Routes } from '../routes.ts';
import { IdParams } from '../schemas/common.ts';
import {
  LedgerQuery,
  SchoolLedgerResponse,
  StudentLedgerResponse,
  toLedgerPeriod,
  toLedgerResponse,
} from '../schemas/ledger.ts';

export function ledgerRoutes(routes: Routes, ledgers: LedgerService): void {
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
            refusals: [`${kind}_not_found`],
            success: { status: 200, schema, description: 'The ledger.', headers: LIST_HEADERS },
          }),
          params: IdParams,
          querystring: LedgerQuery,
        },
      },
      async (request, reply) => {
        const owner = { kind, id: request.params.id };
        const period = toLedgerPeriod(request.query);
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
