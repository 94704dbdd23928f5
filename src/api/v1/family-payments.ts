import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';
import type { Clock } from '../../domain/shared/ports.ts';
import type { FamilyPaymentService, PayFamily } from '../../services/billing/family-payment-service.ts';
import { create, list } from '../endpoint.ts';
import { IdParams, readAmount } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import {
  AllocationsCreate,
  AppliedCredit,
  ApplyCreditCreate,
  FamilyPaymentCreate,
  RefundCreate,
  RefundResponse,
  ReleaseCreate,
  toOrder,
  toRestOrder,
} from '../schemas/families/allocation.ts';
import { inTime, PaymentPreview, PaymentResponse, toPaymentFields } from '../schemas/payment.ts';

type Services = Readonly<{ familyPayments: FamilyPaymentService; clock: Clock }>;

const ALLOCATION_REFUSALS = [
  'allocation_invoice_repeated',
  'allocation_exceeds_unapplied',
  'invoice_not_found',
  'allocation_of_other_family',
  'invoice_void',
  'amount_not_whole',
  'allocation_exceeds_pending',
] as const;
const MOVE_REFUSALS = ['payment_not_found', 'payment_already_reversed', 'payment_without_family'] as const;

/** Money of families: payments that are spread, and what is done with their credit. */
export function familyPaymentRoutes(routes: FastifyInstance, { familyPayments, clock }: Services): void {
  const toPayFamily = (familyId: number, body: Static<typeof FamilyPaymentCreate>): PayFamily => ({
    familyId,
    ...inTime(toPaymentFields(body), clock.now()),
    allocations: toOrder(body.allocations ?? 'auto'),
  });

  create(routes, '/families/:id/payments', {
    tag: 'payments',
    id: 'createFamilyPayment',
    scope: 'payments:write',
    summary: 'Record a payment of a family',
    description: 'One receipt for many invoices. Money is never refused for lack of an invoice: the rest is credit.',
    refusals: ['family_not_found', 'day_out_of_range', ...ALLOCATION_REFUSALS],
    answer: { schema: PaymentResponse, description: 'The new payment.' },
    params: IdParams,
    body: FamilyPaymentCreate,
    run: async ({ actor, params: { id }, body }, key) => await familyPayments.pay(actor, toPayFamily(id, body), key),
    preview: {
      schema: PaymentPreview,
      description: 'With `dry_run=true`: the payment as it would be.',
      json: async ({ actor, params: { id }, body }) => await familyPayments.preview(actor, toPayFamily(id, body)),
    },
    location: '/payments/:id',
  });

  create(routes, '/payments/:id/allocations', {
    tag: 'payments',
    id: 'allocatePayment',
    scope: 'payments:write',
    summary: 'Put unapplied money of a payment on invoices',
    refusals: [...MOVE_REFUSALS, ...ALLOCATION_REFUSALS],
    answer: { schema: PaymentResponse, description: 'The payment.' },
    params: IdParams,
    body: AllocationsCreate,
    run: async ({ actor, params: { id: paymentId }, body }, key) =>
      await familyPayments.allocate(actor, { paymentId, order: toRestOrder(body.allocations) }, key),
    location: '/payments/:id',
  });

  create(routes, '/payments/:id/release', {
    tag: 'payments',
    id: 'releasePayment',
    scope: 'payments:correct',
    summary: "Take money of a payment off an invoice, back to the family's credit",
    description: 'Without an amount all of it that lies there.',
    refusals: [...MOVE_REFUSALS, 'invoice_not_found', 'amount_not_whole', 'release_exceeds_allocated'],
    answer: { schema: PaymentResponse, description: 'The payment.' },
    params: IdParams,
    body: ReleaseCreate,
    run: async ({ actor, params: { id: paymentId }, body: { invoice_id: invoiceId, amount, reason } }, key) =>
      await familyPayments.release(
        actor,
        { paymentId, invoiceId, amount: amount === undefined ? null : readAmount(amount), reason },
        key,
      ),
    location: '/payments/:id',
  });

  create(routes, '/families/:id/apply-credit', {
    tag: 'payments',
    id: 'applyCredit',
    scope: 'payments:write',
    summary: "Pay invoices from a family's credit",
    description: 'The oldest credit first; on the invoice that is named, or on all, by due date.',
    refusals: ['family_not_found', 'invoice_not_found', 'allocation_of_other_family', 'invoice_void'],
    answer: { schema: AppliedCredit, description: 'What was applied.' },
    params: IdParams,
    body: ApplyCreditCreate,
    run: async ({ actor, params: { id: familyId }, body: { invoice_id: invoiceId = null } }, key) =>
      await familyPayments.applyCredit(actor, { familyId, invoiceId }, key),
    location: ({ params: { id } }) => `/families/${id}`,
  });

  list(routes, '/payments/:id/refunds', {
    tag: 'payments',
    id: 'listRefunds',
    scope: 'payments:read',
    summary: 'List the refunds of a payment, oldest first',
    refusals: ['payment_not_found'],
    row: RefundResponse,
    params: IdParams,
    filter: ({ params: { id } }) => ({ id }),
    order: ['id'],
    page: async (actor, { id }, page, count) => await familyPayments.listRefunds(actor, id, page, count),
    rows: async (actor, { id }) => await familyPayments.streamRefunds(actor, id),
    columns: CSV_COLUMNS.refunds,
    fileName: ({ id }) => `refunds-payment-${id}`,
  });

  create(routes, '/payments/:id/refunds', {
    tag: 'payments',
    id: 'createRefund',
    scope: 'payments:correct',
    summary: 'Give back what of a payment lies on no invoice',
    refusals: [...MOVE_REFUSALS, 'amount_not_whole', 'refund_exceeds_unapplied'],
    answer: { schema: RefundResponse, description: 'The new refund.' },
    params: IdParams,
    body: RefundCreate,
    run: async ({ actor, params: { id: paymentId }, body: { amount, method = null, reference = null, reason } }, key) =>
      await familyPayments.refund(actor, { paymentId, amount: readAmount(amount), method, reference, reason }, key),
    location: ({ params: { id } }) => `/payments/${id}/refunds`,
  });
}
