import type { FastifyInstance } from 'fastify';
import { isCalendarDate, parseTimestamp } from '../../domain/shared/calendar.ts';
import type { Clock } from '../../domain/shared/ports.ts';
import type { PaymentService } from '../../services/billing/payment-service.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import { create, list, one } from '../endpoint.ts';
import { isOfOneAccount, tableName } from '../responses/table.ts';
import { IdParams, toInstant } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import {
  InvoicePaymentCreate,
  inTime,
  PaymentCreate,
  PaymentQuery,
  PaymentResponse,
  ReversalCreate,
  toRecordPayment,
} from '../schemas/payment.ts';

const tag = 'payments';

type Services = Readonly<{ payments: PaymentService; documents: DocumentService; clock: Clock }>;

export function paymentRoutes(routes: FastifyInstance, { payments, documents, clock }: Services): void {
  list(routes, '/payments', {
    tag,
    id: 'listPayments',
    scope: 'payments:read',
    isForLinks: true,
    personalData: { of: 'payments', isOneAccount: isOfOneAccount },
    summary: 'List payments, in order of payment',
    row: PaymentResponse,
    query: PaymentQuery,
    filter: ({ query }) => ({
      invoiceId: query.invoice_id,
      studentId: query.student_id,
      familyId: query.family_id,
      schoolId: query.school_id,
      method: query.method,
      reference: query.reference,
      paidFrom: toTimeBound(query.paid_from),
      paidTo: toTimeBound(query.paid_to),
      updatedSince: toInstant(query.updated_since),
    }),
    order: ['time', 'id'],
    page: async (actor, filter, page, count) => await payments.list(actor, filter, page, count),
    rows: async (actor, filter) => await payments.stream(actor, filter),
    columns: CSV_COLUMNS.payments,
    fileName: (filter) => tableName('payments', filter),
  });

  /** Both ways to record a payment. */
  const recorded = {
    tag,
    refusals: ['invoice_not_found', 'invoice_void', 'amount_not_whole', 'payment_exceeds_pending', 'day_out_of_range'],
    answer: { schema: PaymentResponse, description: 'The new payment.' },
    location: '/payments/:id',
  } as const;

  create(routes, '/payments', {
    ...recorded,
    id: 'createPayment',
    scope: 'payments:write',
    summary: 'Record a payment of an invoice',
    body: PaymentCreate,
    run: async ({ actor, body: { invoice_id: invoiceId, ...payment } }, key) =>
      await payments.record(actor, inTime(toRecordPayment(invoiceId, payment), clock.now()), key),
  });

  one(routes, '/payments/:id', {
    tag,
    id: 'getPayment',
    scope: 'payments:read',
    isForLinks: true,
    summary: 'Get a payment',
    refusals: ['payment_not_found', 'document_too_long'],
    answer: { schema: PaymentResponse, description: 'The payment; as PDF its receipt.' },
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await payments.findJson(actor, id),
    pdf: async ({ actor, params: { id } }, order) => await documents.render(actor, { kind: 'receipt', id }, order),
  });

  create(routes, '/payments/:id/reversal', {
    tag,
    id: 'reversePayment',
    scope: 'payments:correct',
    summary: 'Take back a payment that was wrong',
    description:
      'It stays on record and stops counting; what it paid is pending again, and what of it was credit is gone.',
    refusals: [
      'payment_not_found',
      'payment_already_reversed',
      'payment_refunded',
      'day_out_of_range',
      'period_closed',
    ],
    answer: { schema: PaymentResponse, description: 'The payment, reversed.' },
    params: IdParams,
    body: ReversalCreate,
    run: async ({ actor, params: { id }, body: { reason, reversed_on: reversedOn = null } }, key) =>
      await payments.reverse(actor, { id, reason, reversedOn }, key),
    location: '/payments/:id',
  });

  list(routes, '/invoices/:id/payments', {
    tag,
    id: 'listInvoicePayments',
    scope: 'payments:read',
    isForLinks: true,
    summary: 'List the payments of an invoice',
    refusals: ['invoice_not_found'],
    row: PaymentResponse,
    params: IdParams,
    filter: ({ params: { id: invoiceId } }) => ({ invoiceId }),
    order: ['time', 'id'],
    page: async (actor, { invoiceId }, page, count) => await payments.listOfInvoice(actor, invoiceId, page, count),
    rows: async (actor, { invoiceId }) => await payments.streamOfInvoice(actor, invoiceId),
    columns: CSV_COLUMNS.invoicePayments,
    fileName: (filter) => tableName('payments', filter),
  });

  list(routes, '/families/:id/payments', {
    tag,
    id: 'listFamilyPayments',
    scope: 'payments:read',
    isForLinks: true,
    summary: "List a family's payments, in order of payment",
    refusals: ['family_not_found'],
    params: IdParams,
    row: PaymentResponse,
    filter: ({ params: { id: familyId } }) => ({ familyId }),
    order: ['time', 'id'],
    page: async (actor, { familyId }, page, count) => await payments.listOfFamily(actor, familyId, page, count),
    rows: async (actor, { familyId }) => await payments.streamOfFamily(actor, familyId),
    columns: CSV_COLUMNS.payments,
    fileName: ({ familyId }) => `payments-family-${familyId}`,
  });

  create(routes, '/invoices/:id/payments', {
    ...recorded,
    id: 'createInvoicePayment',
    scope: 'payments:write',
    summary: 'Record a payment of this invoice',
    params: IdParams,
    body: InvoicePaymentCreate,
    run: async ({ actor, params: { id: invoiceId }, body }, key) =>
      await payments.record(actor, inTime(toRecordPayment(invoiceId, body), clock.now()), key),
  });
}

function toTimeBound(text: string | undefined): { date: string } | { instant: Date } | undefined {
  if (text === undefined) return undefined;
  return isCalendarDate(text) ? { date: text } : { instant: parseTimestamp(text) };
}
