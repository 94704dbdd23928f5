import type { FastifyInstance } from 'fastify';
import type { BillingRunService } from '../../../services/plans/billing-run-service.ts';
import { act, create, list, one } from '../../endpoint.ts';
import { tableName } from '../../responses/table.ts';
import { IdParams } from '../../schemas/common.ts';
import {
  BillingPreviewRequest,
  BillingPreviewResponse,
  BillingRunCreate,
  BillingRunItem,
  BillingRunResponse,
  BillingRunVoid,
  BillingRunVoided,
  RunItemQuery,
  RunQuery,
  toAskedRun,
  toPreviewPage,
} from '../../schemas/plans/billing-run.ts';

const tag = 'billing runs';

export function billingRunRoutes(routes: FastifyInstance, runs: BillingRunService): void {
  act(routes, '/billing-runs/preview', {
    tag,
    id: 'previewBillingRun',
    scope: 'plans:write',
    summary: 'Show what a billing run would do',
    description: 'Writes nothing. What comes out is what the run does, as long as nothing it depends on changes.',
    refusals: ['school_not_found', 'period_not_found'],
    answer: { schema: BillingPreviewResponse, description: 'The preview.' },
    body: BillingPreviewRequest,
    run: async ({ actor, body }) => await runs.preview(actor, { ...toAskedRun(body), ...toPreviewPage(body) }),
  });

  create(routes, '/billing-runs', {
    tag,
    id: 'startBillingRun',
    scope: 'plans:write',
    summary: 'Bill all students of a school',
    description:
      'Goes on after the answer: ask for the run until it is DONE. What was billed is not billed again, however often and by however many it is run.',
    refusals: [
      'school_not_found',
      'period_not_found',
      'day_out_of_range',
      'period_closed',
      'billing_preview_stale',
      'billing_run_in_progress',
    ],
    answer: { schema: BillingRunResponse, description: 'The run, which has begun.' },
    body: BillingRunCreate,
    run: async ({ actor, body }, key) =>
      await runs.start(actor, { ...toAskedRun(body), previewHash: body.preview_hash ?? null }, key),
    location: '/billing-runs/:id',
    status: 202,
  });

  list(routes, '/billing-runs', {
    tag,
    id: 'listBillingRuns',
    scope: 'plans:read',
    summary: 'List billing runs, newest first',
    row: BillingRunResponse,
    query: RunQuery,
    filter: ({ query: { school_id: schoolId, kind, status } }) => ({ schoolId, kind, status }),
    order: ['id'],
    page: async (actor, filter, page, count) => await runs.list(actor, filter, page, count),
    rows: async (actor, filter) => await runs.stream(actor, filter),
    fileName: ({ schoolId }) => tableName('billing-runs', { schoolId }),
  });

  one(routes, '/billing-runs/:id', {
    tag,
    id: 'getBillingRun',
    scope: 'plans:read',
    summary: 'Get a billing run',
    description: 'While it runs, its counts say how far it is.',
    refusals: ['billing_run_not_found'],
    answer: { schema: BillingRunResponse, description: 'The run.' },
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await runs.findJson(actor, id),
  });

  list(routes, '/billing-runs/:id/items', {
    tag,
    id: 'listBillingRunItems',
    scope: 'plans:read',
    summary: 'List what a billing run did, row by row',
    refusals: ['billing_run_not_found'],
    row: BillingRunItem,
    params: IdParams,
    query: RunItemQuery,
    filter: ({ params: { id: runId }, query: { outcome } }) => ({ runId, outcome }),
    order: ['id'],
    page: async (actor, filter, page, count) => await runs.listItems(actor, filter, page, count),
    rows: async (actor, filter) => await runs.streamItems(actor, filter),
    fileName: ({ runId }) => `billing-run-${runId}`,
  });

  act(routes, '/billing-runs/:id/void', {
    tag,
    id: 'voidBillingRun',
    scope: 'invoices:correct',
    summary: 'Take the invoices of a billing run back',
    description:
      'Those with payments are kept, and named, unless the money goes back to credit. In batches: whoever is cut off asks again. Afterwards the same can be billed again.',
    refusals: ['billing_run_not_found', 'billing_run_in_progress', 'billing_run_already_void'],
    answer: { schema: BillingRunVoided, description: 'The run, and what was voided and kept.' },
    params: IdParams,
    body: BillingRunVoid,
    run: async ({ actor, params: { id }, body: { reason, payments } }) =>
      (await runs.void(actor, { id, reason, toCredit: payments === 'to_credit' })).body,
  });
}
