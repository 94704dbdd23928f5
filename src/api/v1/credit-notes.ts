import type { FastifyInstance } from 'fastify';
import type { CreditNoteService } from '../../services/billing/credit-note-service.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import { create, list, one } from '../endpoint.ts';
import { isOfOneAccount, tableName } from '../responses/table.ts';
import { IdParams, readAmount, toInstant } from '../schemas/common.ts';
import {
  CreditNoteCreate,
  CreditNoteQuery,
  CreditNoteResponse,
  CreditNoteReversalCreate,
} from '../schemas/credit-note.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';

const tag = 'credit notes';

type Services = Readonly<{ creditNotes: CreditNoteService; documents: DocumentService }>;

export function creditNoteRoutes(routes: FastifyInstance, { creditNotes, documents }: Services): void {
  list(routes, '/credit-notes', {
    tag,
    id: 'listAllCreditNotes',
    scope: 'invoices:read',
    personalData: { of: 'credit_notes', isOneAccount: isOfOneAccount },
    summary: 'List credit notes, oldest first',
    row: CreditNoteResponse,
    query: CreditNoteQuery,
    filter: ({ query }) => ({
      invoiceId: query.invoice_id,
      studentId: query.student_id,
      schoolId: query.school_id,
      reason: query.reason,
      number: query.number,
      datedFrom: query.dated_from,
      datedTo: query.dated_to,
      updatedSince: toInstant(query.updated_since),
    }),
    order: ['time', 'id'],
    page: async (actor, filter, page, count) => await creditNotes.list(actor, filter, page, count),
    rows: async (actor, filter) => await creditNotes.stream(actor, filter),
    columns: CSV_COLUMNS.creditNotes,
    fileName: (filter) => tableName('credit-notes', filter),
  });

  one(routes, '/credit-notes/:id', {
    tag,
    id: 'getCreditNote',
    scope: 'invoices:read',
    summary: 'Get a credit note',
    refusals: ['credit_note_not_found'],
    answer: { schema: CreditNoteResponse, description: 'The credit note.' },
    isConditional: true,
    params: IdParams,
    json: async ({ actor, params: { id } }) => await creditNotes.findJson(actor, id),
    pdf: async ({ actor, params: { id } }, order) => await documents.render(actor, { kind: 'credit note', id }, order),
  });

  create(routes, '/credit-notes/:id/reversal', {
    tag,
    id: 'reverseCreditNote',
    scope: 'invoices:correct',
    summary: 'Take back a credit note that was wrong',
    description: 'It stays on record and stops counting; what is pending on its invoice rises again.',
    refusals: [
      'credit_note_not_found',
      'credit_note_already_reversed',
      'invoice_void',
      'day_out_of_range',
      'period_closed',
    ],
    answer: { schema: CreditNoteResponse, description: 'The credit note, reversed.' },
    params: IdParams,
    body: CreditNoteReversalCreate,
    run: async ({ actor, params: { id }, body: { reason, reversed_on: reversedOn = null } }, key) =>
      await creditNotes.reverse(actor, { id, reason, reversedOn }, key),
    location: '/credit-notes/:id',
  });

  list(routes, '/invoices/:id/credit-notes', {
    tag,
    id: 'listCreditNotes',
    scope: 'invoices:read',
    summary: 'List the credit notes of an invoice, oldest first',
    refusals: ['invoice_not_found'],
    row: CreditNoteResponse,
    params: IdParams,
    filter: ({ params: { id: invoiceId } }) => ({ invoiceId }),
    order: ['time', 'id'],
    page: async (actor, { invoiceId }, page, count) => await creditNotes.listOfInvoice(actor, invoiceId, page, count),
    rows: async (actor, { invoiceId }) => await creditNotes.streamOfInvoice(actor, invoiceId),
    columns: CSV_COLUMNS.creditNotes,
    fileName: (filter) => tableName('credit-notes', filter),
  });

  create(routes, '/invoices/:id/credit-notes', {
    tag,
    id: 'createCreditNote',
    scope: 'invoices:correct',
    summary: 'Lower what is owed on an invoice',
    description: 'What was billed stays. An invoice with nothing pending is PAID.',
    refusals: [
      'invoice_not_found',
      'invoice_void',
      'amount_not_whole',
      'credit_exceeds_pending',
      'payment_without_family',
      'day_out_of_range',
      'period_closed',
    ],
    answer: { schema: CreditNoteResponse, description: 'The new credit note.' },
    params: IdParams,
    body: CreditNoteCreate,
    run: async ({ actor, params: { id: invoiceId }, body }, key) =>
      await creditNotes.issue(
        actor,
        {
          invoiceId,
          amount: readAmount(body.amount),
          reason: body.reason,
          description: body.description ?? null,
          datedOn: body.dated_on ?? null,
          excessToCredit: body.excess === 'credit',
        },
        key,
      ),
    location: '/credit-notes/:id',
  });
}
