import type { FastifyInstance } from 'fastify';
import type { ClosingService } from '../../services/billing/closing-service.ts';
import { create, list, one, remove } from '../endpoint.ts';
import { tableName } from '../responses/table.ts';
import { ClosingCreate, ClosingResponse, ReopenQuery } from '../schemas/closing.ts';
import { IdParams } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';

const tag = 'closings';

export function closingRoutes(routes: FastifyInstance, closings: ClosingService): void {
  list(routes, '/schools/:id/closings', {
    tag,
    id: 'listClosings',
    scope: 'reports:read',
    summary: 'List the closings of a school, newest first',
    refusals: ['school_not_found'],
    row: ClosingResponse,
    params: IdParams,
    filter: ({ params: { id: schoolId } }) => ({ schoolId }),
    order: ['date', 'id'],
    page: async (actor, { schoolId }, page, count) => await closings.list(actor, schoolId, page, count),
    rows: async (actor, { schoolId }) => await closings.stream(actor, schoolId),
    columns: CSV_COLUMNS.closings,
    fileName: (filter) => tableName('closings', filter),
  });

  create(routes, '/schools/:id/closings', {
    tag,
    id: 'closeBooks',
    scope: 'reports:write',
    summary: 'Close the books of a school through a day',
    description:
      'Nothing is booked on a closed day any more, whatever happens at the same time: a payment of such a day is booked on the first open one, and other entries that name one are refused.',
    refusals: ['school_not_found', 'closing_out_of_order'],
    answer: { schema: ClosingResponse, description: 'The closing, with the figures of its days.' },
    params: IdParams,
    body: ClosingCreate,
    run: async ({ actor, params: { id: schoolId }, body: { through } }, key) =>
      await closings.close(actor, { schoolId, through }, key),
    location: '/closings/:id',
  });

  one(routes, '/closings/:id', {
    tag,
    id: 'getClosing',
    scope: 'reports:read',
    summary: 'Get a closing',
    refusals: ['closing_not_found'],
    answer: { schema: ClosingResponse, description: 'The closing.' },
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await closings.findJson(actor, id),
  });

  remove(routes, '/closings/:id', {
    tag,
    id: 'reopenBooks',
    scope: 'reports:write',
    summary: 'Open the days of the newest closing again',
    description: 'The closing stays on record.',
    refusals: ['closing_not_found', 'closing_not_newest'],
    answer: 'Reopened.',
    params: IdParams,
    query: ReopenQuery.properties,
    run: async ({ actor, params: { id }, query: { reason } }) => await closings.reopen(actor, id, reason),
  });
}
