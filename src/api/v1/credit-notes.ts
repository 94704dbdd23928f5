import type { FastifyInstance } from 'fastify';
import type { InvoiceService } from '../../services/billing/invoice-service.ts';
import { create, list } from '../endpoint.ts';
import { csvName } from '../responses/csv.ts';
import { IdParams, readAmount } from '../schemas/common.ts';
import { CreditNoteCreate, CreditNoteResponse } from '../schemas/invoice.ts';

const tag = 'invoices';

export function creditNoteRoutes(routes: FastifyInstance, invoices: InvoiceService): void {
  list(routes, '/invoices/:id/credit-notes', {
    tag,
    id: 'listCreditNotes',
    summary: 'List the credit notes of an invoice, oldest first',
    refusals: ['invoice_not_found'],
    row: CreditNoteResponse,
    params: IdParams,
    filter: ({ params: { id: invoiceId } }) => ({ invoiceId }),
    order: ['time', 'id'],
    page: async (actor, { invoiceId }, page, count) => await invoices.listCredits(actor, invoiceId, page, count),
    rows: async (actor, { invoiceId }) => await invoices.streamCredits(actor, invoiceId),
    fileName: (filter) => csvName('credit-notes', filter),
  });

  create(routes, '/invoices/:id/credit-notes', {
    tag,
    id: 'createCreditNote',
    summary: 'Lower what is owed on an invoice',
    description: 'What was billed stays. An invoice with nothing pending is PAID.',
    refusals: ['invoice_not_found', 'invoice_void', 'amount_not_whole', 'credit_exceeds_pending'],
    answer: { schema: CreditNoteResponse, description: 'The new credit note.' },
    params: IdParams,
    body: CreditNoteCreate,
    run: async ({ actor, params: { id: invoiceId }, body: { amount, reason } }, key) =>
      await invoices.credit(actor, { invoiceId, amount: readAmount(amount), reason }, key),
    location: '/invoices/:invoice_id/credit-notes',
  });
}
