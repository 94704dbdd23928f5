import type { FastifyInstance } from 'fastify';
import type { WithdrawalService } from '../../../services/plans/withdrawal-service.ts';
import { create } from '../../endpoint.ts';
import { IdParams } from '../../schemas/common.ts';
import { WithdrawalCreate, WithdrawalResponse } from '../../schemas/plans/withdrawal.ts';

export function withdrawalRoutes(routes: FastifyInstance, withdrawals: WithdrawalService): void {
  create(routes, '/enrolments/:id/withdrawal', {
    tag: 'enrolments',
    id: 'withdrawEnrolment',
    // It voids invoices: whoever may not do that one by one must not do it this way.
    scope: 'invoices:correct',
    summary: 'End an enrolment, and void what was billed for later days',
    description:
      'What covers days after the last one, or is due after it where it covers none, is voided, and what was paid on it becomes credit of its family. Invoices of no family that have payments are kept.',
    refusals: ['enrolment_not_found', 'day_out_of_range'],
    answer: { schema: WithdrawalResponse, description: 'The enrolment, with what was voided and what was kept.' },
    params: IdParams,
    body: WithdrawalCreate,
    run: async ({ actor, params: { id: enrolmentId }, body: { ends_on: endsOn, reason } }, key) =>
      await withdrawals.withdraw(actor, { enrolmentId, endsOn, reason }, key),
    location: '/enrolments/:id',
  });
}
