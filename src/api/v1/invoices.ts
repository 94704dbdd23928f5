import type { FastifyInstance } from 'fastify';
import type { InvoiceService } from '../../services/billing/invoice-service.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import { change, create, list, one, remove } from '../endpoint.ts';
import { tableName } from '../responses/table.ts';
import { IdParams, toInstant } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import {
  InvoiceCreate,
  InvoiceQuery,
  InvoiceResponse,
  InvoiceUpdate,
  toInvoiceChanges,
  toNewInvoice,
  toStatuses,
  VoidQuery,
} from '../schemas/invoice.ts';

const tag = 'invoices';
const answer = { schema: InvoiceResponse, description: 'The invoice.' };

type Services = Readonly<{ invoices: InvoiceService; documents: DocumentService }>;

export function invoiceRoutes(routes: FastifyInstance, { invoices, documents }: Services): void {
  list(routes, '/invoices', {
    tag,
    id: 'listInvoices',
    scope: 'invoices:read',
    isForLinks: true,
    summary: 'List invoices, newest first',
    row: InvoiceResponse,
    query: InvoiceQuery,
    filter: ({ query }) => ({
      studentId: query.student_id,
      familyId: query.family_id,
      schoolId: query.school_id,
      number: query.number,
      statuses: toStatuses(query.status),
      dueFrom: query.due_from,
      dueTo: query.due_to,
      overdue: query.overdue,
      updatedSince: toInstant(query.updated_since),
    }),
    order: ['time', 'id'],
    page: async (actor, filter, page, count) => await invoices.list(actor, filter, page, count),
    rows: async (actor, filter) => await invoices.stream(actor, filter),
    columns: CSV_COLUMNS.invoices,
    fileName: (filter) => tableName('invoices', filter),
  });

  create(routes, '/invoices', {
    tag,
    id: 'createInvoice',
    scope: 'invoices:write',
    summary: 'Issue an invoice',
    refusals: [
      'student_not_found',
      'concept_not_found',
      'invoice_currency_mismatch',
      'amount_not_whole',
      'day_out_of_range',
      'period_closed',
    ],
    answer: { ...answer, description: 'The new invoice.' },
    body: InvoiceCreate,
    run: async ({ actor, body }, key) => await invoices.create(actor, toNewInvoice(body), key),
    location: '/invoices/:id',
  });

  one(routes, '/invoices/:id', {
    tag,
    id: 'getInvoice',
    scope: 'invoices:read',
    isForLinks: true,
    summary: 'Get an invoice',
    refusals: ['invoice_not_found'],
    answer,
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await invoices.findJson(actor, id),
    pdf: async ({ actor, params: { id } }, order) => await documents.render(actor, { kind: 'invoice', id }, order),
  });

  change(routes, '/invoices/:id', {
    tag,
    id: 'updateInvoice',
    scope: 'invoices:write',
    summary: 'Change an invoice that is not yet paid',
    description: 'What is absent stays as it is; `description: null` clears it.',
    refusals: [
      'invoice_not_found',
      'invoice_void',
      'invoice_paid',
      'invoice_has_lines',
      'invoice_amount_below_paid',
      'amount_not_whole',
      'period_closed',
    ],
    answer,
    params: IdParams,
    body: InvoiceUpdate,
    run: async ({ actor, params: { id }, body }) => await invoices.update(actor, id, toInvoiceChanges(body)),
  });

  remove(routes, '/invoices/:id', {
    tag,
    id: 'voidInvoice',
    scope: 'invoices:correct',
    summary: 'Void an invoice without payments',
    description:
      "It stays on record as VOID. If it has payments, reverse them first, or let `payments=to_credit` put them back to its family's credit.",
    refusals: [
      'invoice_not_found',
      'invoice_already_void',
      'invoice_has_payments',
      'payment_without_family',
      'day_out_of_range',
      'period_closed',
    ],
    answer: 'Voided.',
    params: IdParams,
    query: VoidQuery,
    run: async ({ actor, params: { id }, query: { reason = null, voided_on: voidedOn = null, payments } }) =>
      await invoices.void(actor, { id, reason, voidedOn, toCredit: payments === 'to_credit' }),
  });
}
