import type { InvoiceService } from '../../services/billing/invoice-service.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import { answerCreation, JSON_TYPE } from '../edge/idempotency-key.ts';
import { creationDocs, LIST_HEADERS, readDocs, writeDocs } from '../openapi.ts';
import { formatOf, formatParameter, LIST_FORMATS, SINGLE_FORMATS } from '../responses/content-negotiation.ts';
import { csvName, refusePaging, sendCsv } from '../responses/csv.ts';
import { countModeOf, PAGE_PARAMETERS, readPageRequest, sendListing } from '../responses/pagination.ts';
import { languageOf, languageParameter, sendPdf } from '../responses/pdf.ts';
import type { Routes } from '../routes.ts';
import { IdParams, NoBody, readAmount, STRICT } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import {
  CreditNoteCreate,
  CreditNoteResponse,
  InvoiceCreate,
  InvoiceQuery,
  InvoiceResponse,
  InvoiceUpdate,
  toCreditNoteResponse,
  toInvoiceChanges,
  toInvoiceResponse,
  toNewInvoice,
  VoidQuery,
} from '../schemas/invoice.ts';
import { Type } from '../schemas/type.ts';

const ONE = { status: 200, schema: InvoiceResponse, description: 'The invoice.' };

export function invoiceRoutes(routes: Routes, invoices: InvoiceService, documents: DocumentService): void {
  routes.get(
    '/invoices',
    {
      schema: {
        ...readDocs({
          tag: 'invoices',
          id: 'listInvoices',
          summary: 'List invoices, newest first',
          success: { status: 200, schema: Type.Array(InvoiceResponse), description: 'A page.', headers: LIST_HEADERS },
          formats: LIST_FORMATS,
        }),
        querystring: Type.Object(
          { ...InvoiceQuery, ...PAGE_PARAMETERS, format: formatParameter(LIST_FORMATS) },
          STRICT,
        ),
      },
    },
    async (request, reply) => {
      const {
        student_id: studentId,
        school_id: schoolId,
        status,
        due_from: dueFrom,
        due_to: dueTo,
        overdue,
      } = request.query;
      const filter = {
        ...(studentId === undefined ? {} : { studentId }),
        ...(schoolId === undefined ? {} : { schoolId }),
        ...(status === undefined ? {} : { status }),
        ...(dueFrom === undefined ? {} : { dueFrom }),
        ...(dueTo === undefined ? {} : { dueTo }),
        ...(overdue === undefined ? {} : { overdue }),
      };
      if (formatOf(request, reply, LIST_FORMATS, request.query.format) === 'csv') {
        refusePaging(request.query);
        const rows = await invoices.stream(filter);
        return await sendCsv(request, reply, {
          name: csvName('invoices', filter),
          columns: CSV_COLUMNS.invoices,
          rows,
        });
      }
      const page = readPageRequest(request.query, ['time', 'id']);
      const listing = await invoices.list(filter, page, countModeOf(request.query));
      return sendListing(request, reply, listing, page);
    },
  );

  routes.post(
    '/invoices',
    {
      schema: {
        ...creationDocs({
          tag: 'invoices',
          id: 'createInvoice',
          summary: 'Issue an invoice',
          refusals: ['student_not_found', 'invoice_currency_mismatch', 'amount_not_whole'],
          success: { status: 201, schema: InvoiceResponse, description: 'The new invoice.' },
        }),
        body: InvoiceCreate,
      },
    },
    async (request, reply) =>
      await answerCreation(
        request,
        reply,
        toInvoiceResponse,
        async (creation) => await invoices.create(toNewInvoice(request.body), creation),
      ),
  );

  routes.get(
    '/invoices/:id',
    {
      schema: {
        ...readDocs({
          tag: 'invoices',
          id: 'getInvoice',
          summary: 'Get an invoice',
          refusals: ['invoice_not_found'],
          success: ONE,
          formats: SINGLE_FORMATS,
          isConditional: true,
        }),
        params: IdParams,
        querystring: Type.Object({ format: formatParameter(SINGLE_FORMATS), lang: languageParameter }, STRICT),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if (formatOf(request, reply, SINGLE_FORMATS, request.query.format) === 'json') {
        return await reply.type(JSON_TYPE).send(await invoices.findJson(id));
      }
      return await sendPdf(
        reply,
        await documents.render({ kind: 'invoice', id }, languageOf(request, request.query.lang)),
      );
    },
  );

  routes.patch(
    '/invoices/:id',
    {
      schema: {
        ...writeDocs({
          tag: 'invoices',
          id: 'updateInvoice',
          summary: 'Change an invoice that is not yet paid',
          description: 'What is absent stays as it is; `description: null` clears it.',
          refusals: [
            'invoice_not_found',
            'invoice_void',
            'invoice_paid',
            'invoice_amount_below_paid',
            'amount_not_whole',
          ],
          success: ONE,
        }),
        params: IdParams,
        body: InvoiceUpdate,
      },
    },
    async (request) => toInvoiceResponse(await invoices.update(request.params.id, toInvoiceChanges(request.body))),
  );

  routes.delete(
    '/invoices/:id',
    {
      schema: {
        ...writeDocs({
          tag: 'invoices',
          id: 'voidInvoice',
          summary: 'Void an invoice without payments',
          description: 'It stays on record as VOID. Reverse its payments first if it has any.',
          refusals: ['invoice_not_found', 'invoice_already_void', 'invoice_has_payments'],
          success: { status: 204, description: 'Voided.' },
        }),
        params: IdParams,
        querystring: VoidQuery,
        body: NoBody,
      },
    },
    async (request, reply) => {
      await invoices.void(request.params.id, request.query.reason ?? null);
      return await reply.code(204).send();
    },
  );

  routes.get(
    '/invoices/:id/credit-notes',
    {
      schema: {
        ...readDocs({
          tag: 'invoices',
          id: 'listCreditNotes',
          summary: 'List the credit notes of an invoice, oldest first',
          refusals: ['invoice_not_found'],
          success: {
            status: 200,
            schema: Type.Array(CreditNoteResponse),
            description: 'A page.',
            headers: LIST_HEADERS,
          },
          formats: LIST_FORMATS,
        }),
        params: IdParams,
        querystring: Type.Object({ ...PAGE_PARAMETERS, format: formatParameter(LIST_FORMATS) }, STRICT),
      },
    },
    async (request, reply) => {
      const invoiceId = request.params.id;
      if (formatOf(request, reply, LIST_FORMATS, request.query.format) === 'csv') {
        refusePaging(request.query);
        const rows = await invoices.streamCredits(invoiceId);
        const name = csvName('credit-notes', { invoiceId });
        return await sendCsv(request, reply, { name, columns: CSV_COLUMNS.creditNotes, rows });
      }
      const page = readPageRequest(request.query, ['time', 'id']);
      const listing = await invoices.listCredits(invoiceId, page, countModeOf(request.query));
      return sendListing(request, reply, listing, page);
    },
  );

  routes.post(
    '/invoices/:id/credit-notes',
    {
      schema: {
        ...creationDocs({
          tag: 'invoices',
          id: 'createCreditNote',
          summary: 'Lower what is owed on an invoice',
          description: 'What was billed stays. An invoice with nothing pending is PAID.',
          refusals: ['invoice_not_found', 'invoice_void', 'amount_not_whole', 'credit_exceeds_pending'],
          success: { status: 201, schema: CreditNoteResponse, description: 'The new credit note.' },
        }),
        params: IdParams,
        body: CreditNoteCreate,
      },
    },
    async (request, reply) => {
      const { amount, reason } = request.body;
      const note = { invoiceId: request.params.id, amount: readAmount(amount), reason };
      return await answerCreation(
        request,
        reply,
        toCreditNoteResponse,
        async (creation) => await invoices.credit(note, creation),
      );
    },
  );
}
