import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import type { AccountOwner, StatementTotals } from '../../domain/reporting/statement.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import type { Statement, StatementService } from '../../services/reporting/statement-service.ts';
import { leftSignal } from '../edge/load/on-closed.ts';
import { one } from '../endpoint.ts';
import { isKnown } from '../responses/etag.ts';
import { PAGE_PARAMETERS } from '../responses/pagination.ts';
import { ACCOUNTS, IdParams } from '../schemas/common.ts';
import { statementColumns } from '../schemas/csv-columns.ts';
import {
  FamilyStatementResponse,
  SchoolStatementResponse,
  StudentStatementResponse,
  toStatementOpening,
  toStatementResponse,
} from '../schemas/statement.ts';

const { offset } = PAGE_PARAMETERS;
const limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 1_000,
    description: 'Lines to show. Default: all. Totals always cover everything.',
  }),
);

const KINDS = {
  student: { id: 'getStudentStatement', schema: StudentStatementResponse },
  family: { id: 'getFamilyStatement', schema: FamilyStatementResponse },
  school: { id: 'getSchoolStatement', schema: SchoolStatementResponse },
};

type Services = Readonly<{ statements: StatementService; documents: DocumentService }>;

/** @param release of the product: another one may write the same statement in another form */
export function statementRoutes(routes: FastifyInstance, services: Services, release: string): void {
  statementRoute(routes, 'student', services, release);
  statementRoute(routes, 'family', services, release);
  statementRoute(routes, 'school', services, release);
}

function statementRoute(
  routes: FastifyInstance,
  kind: AccountOwner['kind'],
  { statements, documents }: Services,
  release: string,
): void {
  /** A whole statement is tagged before its lines are read; where they are here, its tag is a digest of the answer. */
  async function isWholeKnown(request: FastifyRequest, reply: FastifyReply, statement: Statement): Promise<boolean> {
    const { header, lines } = statement;
    if (typeof lines === 'string' || header.linesVersion === null) return false;
    const version = `${release} ${header.linesVersion} ${toStatementOpening(statement)}`;
    if (!isKnown(request, reply, version)) return false;
    await lines.return();
    return true;
  }

  one(routes, `/${ACCOUNTS[kind]}/:id/statement`, {
    tag: 'statements',
    id: KINDS[kind].id,
    scope: 'reports:read',
    isForLinks: kind !== 'school',
    summary: `What a ${kind} was invoiced, has paid, and owes`,
    description:
      'One snapshot: totals are the sum of all lines. Lines are complete by default, at any size; `limit` and `offset` page the lines alone.',
    refusals: [`${kind}_not_found`, 'document_too_long'],
    answer: { schema: KINDS[kind].schema, description: 'The statement.' },
    isConditional: true,
    // Lines of a school name the students on paper alone.
    ...(kind === 'school' ? { personalData: { of: 'statement', forms: ['pdf'] } } : {}),
    params: IdParams,
    query: { limit, offset },
    json: async ({ actor, params: { id }, query, request, reply }) => {
      const range = { limit: query.limit ?? null, offset: query.offset ?? 0 };
      const begin = async (): Promise<AbortSignal> => {
        await request.beginLongAnswer(reply);
        return leftSignal(reply.raw);
      };
      const statement = await statements.open(actor, { kind, id }, range, begin);
      return (await isWholeKnown(request, reply, statement)) ? undefined : toStatementResponse(statement);
    },
    // Lines only, so that a program can read the file; their totals go beside it, so that it can check it.
    table: async ({ actor, params: { id }, reply }) => {
      const { header, rows } = await statements.stream(actor, { kind, id }, leftSignal(reply.raw));
      const headers = { 'x-statement-totals': toDictionary(header.totals) };
      return { name: `statement-${kind}-${id}`, columns: statementColumns(kind), rows, headers };
    },
    pdf: async ({ actor, params: { id } }, order) =>
      await documents.render(actor, { kind: 'statement', owner: { kind, id } }, order),
  });
}

/** RFC 9651. */
function toDictionary({ invoiced, credited, paid, pending, overdue, ahead }: StatementTotals): string {
  const members = Object.entries({ invoiced, credited, paid, pending, overdue, ...ahead });
  return members.map(([name, amount]) => `${name}="${amount}"`).join(', ');
}
