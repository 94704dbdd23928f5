import { type TSchema, Type } from '@fastify/type-provider-typebox';
import type { StatementService } from '../../services/statement-service.ts';
import { JSON_TYPE } from '../idempotency.ts';
import { readDocs } from '../openapi.ts';
import { PAGE_PARAMETERS } from '../pagination.ts';
import type { Routes } from '../routes.ts';
import { IdParams, STRICT } from '../schemas/common.ts';
import { SchoolStatementResponse, StudentStatementResponse, toStatementResponse } from '../schemas/statement.ts';

const { offset } = PAGE_PARAMETERS;
const limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: 1_000,
    description: 'Lines to show. Default: all. Totals always cover everything.',
  }),
);

export function statementRoutes(routes: Routes, statements: StatementService): void {
  const register = (kind: 'student' | 'school', schema: TSchema): void => {
    routes.get(
      `/${kind}s/:id/statement`,
      {
        schema: {
          ...readDocs({
            tag: 'statements',
            id: kind === 'student' ? 'getStudentStatement' : 'getSchoolStatement',
            summary: `What a ${kind} was invoiced, has paid, and owes`,
            description:
              'One snapshot: totals are the sum of all lines. Lines are complete by default, at any size; `limit` and `offset` page the lines alone.',
            refusals: [`${kind}_not_found`],
            success: { status: 200, schema, description: 'The statement.' },
          }),
          params: IdParams,
          querystring: Type.Object({ limit, offset }, STRICT),
        },
      },
      async (request, reply) => {
        const { limit: lines = null, offset: skip = 0 } = request.query;
        const statement = await statements.open({ kind, id: request.params.id }, { limit: lines, offset: skip });
        return await reply.type(JSON_TYPE).send(toStatementResponse(statement));
      },
    );
  };
  register('student', StudentStatementResponse);
  register('school', SchoolStatementResponse);
}
