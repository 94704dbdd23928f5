import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AccountOwner, StatementTotals } from '../../domain/reporting/statement.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import type { StatementService } from '../../services/reporting/statement-service.ts';
import { JSON_TYPE } from '../edge/idempotency-key.ts';
import { readDocs } from '../openapi.ts';
import { ACCOUNT_FORMATS, formatOf, formatParameter } from '../responses/content-negotiation.ts';
import { refusePaging, sendCsv } from '../responses/csv.ts';
import { isKnown } from '../responses/etag.ts';
import { PAGE_PARAMETERS } from '../responses/pagination.ts';
import { languageOf, languageParameter, sendPdf } from '../responses/pdf.ts';
import type { Routes } from '../routes.ts';
import { IdParams, STRICT } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import { SchoolStatementResponse, StudentStatementResponse, toStatementResponse } from '../schemas/statement.ts';
import { type TSchema, Type } from '../schemas/type.ts';

const { offset } = PAGE_PARAMETERS;
const limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 1_000,
    description: 'Lines to show. Default: all. Totals always cover everything.',
  }),
);

type Dependencies = Readonly<{ statements: StatementService; documents: DocumentService }>;

/** @param release of the product */
export function statementRoutes(routes: Routes, { statements, documents }: Dependencies, release: string): void {
  /** Lines only, so that a program can read the file; their totals go beside it, so that it can check it. */
  async function sendLines(request: FastifyRequest, reply: FastifyReply, owner: AccountOwner): Promise<FastifyReply> {
    const { header, rows } = await statements.stream(owner);
    reply.header('x-statement-totals', toDictionary(header.totals));
    return await sendCsv(request, reply, {
      name: `statement-${owner.kind}-${owner.id}`,
      columns: CSV_COLUMNS.statement,
      rows,
    });
  }

  /** Asks for the version first, where somebody has one: it costs a tenth of a page of lines, and of all lines nothing. */
  async function hasUnchanged(request: FastifyRequest, reply: FastifyReply, owner: AccountOwner): Promise<boolean> {
    if (owner.kind === 'student' || request.headers['if-none-match'] === undefined) return false;
    return isKnown(request, reply, tagged(await statements.findSchoolVersion(owner.id)));
  }

  /** Another release may write the same statement in another form. */
  function tagged(version: string): string {
    return `${release} ${version}`;
  }

  const register = (kind: 'student' | 'school', schema: TSchema): void => {
    routes.get(
      `/${kind}s/:id/statement`,
      {
        config: { isBatched: kind === 'student' },
        schema: {
          ...readDocs({
            tag: 'statements',
            id: kind === 'student' ? 'getStudentStatement' : 'getSchoolStatement',
            summary: `What a ${kind} was invoiced, has paid, and owes`,
            description:
              'One snapshot: totals are the sum of all lines. Lines are complete by default, at any size; `limit` and `offset` page the lines alone.',
            refusals: [`${kind}_not_found`, 'document_too_long'],
            success: { status: 200, schema, description: 'The statement.' },
            formats: ACCOUNT_FORMATS,
            isConditional: true,
          }),
          params: IdParams,
          querystring: Type.Object(
            { limit, offset, format: formatParameter(ACCOUNT_FORMATS), lang: languageParameter },
            STRICT,
          ),
        },
      },
      async (request, reply) => {
        const owner = { kind, id: request.params.id };
        const { limit: lines = null, offset: skip = 0, lang, format: asked } = request.query;
        const format = formatOf(request, reply, ACCOUNT_FORMATS, asked);
        if (format === 'json') {
          if (await hasUnchanged(request, reply, owner)) return await reply.code(304).send();
          const statement = await statements.open(owner, { limit: lines, offset: skip });
          if (statement.header.version !== null) isKnown(request, reply, tagged(statement.header.version));
          return await reply.type(JSON_TYPE).send(toStatementResponse(statement));
        }
        refusePaging(request.query);
        if (format === 'csv') return await sendLines(request, reply, owner);
        return await sendPdf(reply, await documents.render({ kind: 'statement', owner }, languageOf(request, lang)));
      },
    );
  };
  register('student', StudentStatementResponse);
  register('school', SchoolStatementResponse);
}

/** RFC 9651. */
function toDictionary({ invoiced, credited, paid, pending, overdue }: StatementTotals): string {
  const members = Object.entries({ invoiced, credited, paid, pending, overdue });
  return members.map(([name, amount]) => `${name}="${amount}"`).join(', ');
}
