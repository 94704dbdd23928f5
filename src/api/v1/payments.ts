import type { FastifyReply, FastifyRequest } from 'fastify';
import { isCalendarDate, parseTimestamp } from '../../domain/shared/calendar.ts';
import type { Clock } from '../../domain/shared/ports.ts';
import type { PaymentService, RecordPayment } from '../../services/billing/payment-service.ts';
import type { DocumentService } from '../../services/documents/document-service.ts';
import { answerCreation, JSON_TYPE } from '../edge/idempotency-key.ts';
import { HttpError } from '../edge/problems.ts';
import { creationDocs, LIST_HEADERS, readDocs } from '../openapi.ts';
import { formatOf, formatParameter, LIST_FORMATS, SINGLE_FORMATS } from '../responses/content-negotiation.ts';
import { csvName, refusePaging, sendCsv } from '../responses/csv.ts';
import { countModeOf, PAGE_PARAMETERS, readPageRequest, sendListing } from '../responses/pagination.ts';
import { languageOf, languageParameter, sendPdf } from '../responses/pdf.ts';
import type { Routes } from '../routes.ts';
import { IdParams, STRICT } from '../schemas/common.ts';
import { CSV_COLUMNS } from '../schemas/csv-columns.ts';
import {
  InvoicePaymentCreate,
  PaymentCreate,
  PaymentQuery,
  PaymentResponse,
  ReversalCreate,
  toPaymentResponse,
  toRecordPayment,
} from '../schemas/payment.ts';
import { Type } from '../schemas/type.ts';

const PAGE = { status: 200, schema: Type.Array(PaymentResponse), description: 'A page.', headers: LIST_HEADERS };
const RECORDED = { status: 201, schema: PaymentResponse, description: 'The new payment.' };
const REFUSALS = ['invoice_not_found', 'invoice_void', 'amount_not_whole', 'payment_exceeds_pending'] as const;

type Dependencies = Readonly<{ payments: PaymentService; documents: DocumentService; clock: Clock }>;

export function paymentRoutes(routes: Routes, { payments, documents, clock }: Dependencies): void {
  /** Both ways to record a payment end here. */
  async function record(request: FastifyRequest, reply: FastifyReply, command: RecordPayment): Promise<FastifyReply> {
    refuseOtherTimes(command.paidAt, clock.now());
    return await answerCreation(
      request,
      reply,
      toPaymentResponse,
      async (creation) => await payments.record(command, creation),
    );
  }

  routes.get(
    '/payments',
    {
      schema: {
        ...readDocs({
          tag: 'payments',
          id: 'listPayments',
          summary: 'List payments, in order of payment',
          success: PAGE,
          formats: LIST_FORMATS,
        }),
        querystring: Type.Object(
          { ...PaymentQuery, ...PAGE_PARAMETERS, format: formatParameter(LIST_FORMATS) },
          STRICT,
        ),
      },
    },
    async (request, reply) => {
      const { invoice_id: invoiceId, student_id: studentId, school_id: schoolId, method } = request.query;
      const { paid_from: paidFrom, paid_to: paidTo } = request.query;
      const filter = {
        ...(invoiceId === undefined ? {} : { invoiceId }),
        ...(studentId === undefined ? {} : { studentId }),
        ...(schoolId === undefined ? {} : { schoolId }),
        ...(method === undefined ? {} : { method }),
        ...(paidFrom === undefined ? {} : { paidFrom: toTimeBound(paidFrom) }),
        ...(paidTo === undefined ? {} : { paidTo: toTimeBound(paidTo) }),
      };
      if (formatOf(request, reply, LIST_FORMATS, request.query.format) === 'csv') {
        refusePaging(request.query);
        const rows = await payments.stream(filter);
        return await sendCsv(request, reply, {
          name: csvName('payments', filter),
          columns: CSV_COLUMNS.payments,
          rows,
        });
      }
      const page = readPageRequest(request.query, ['time', 'id']);
      const listing = await payments.list(filter, page, countModeOf(request.query));
      return sendListing(request, reply, listing, page);
    },
  );

  routes.post(
    '/payments',
    {
      schema: {
        ...creationDocs({
          tag: 'payments',
          id: 'createPayment',
          summary: 'Record a payment of an invoice',
          refusals: REFUSALS,
          success: RECORDED,
        }),
        body: PaymentCreate,
      },
    },
    async (request, reply) => {
      const { invoice_id: invoiceId, ...payment } = request.body;
      return await record(request, reply, toRecordPayment(invoiceId, payment));
    },
  );

  routes.get(
    '/payments/:id',
    {
      schema: {
        ...readDocs({
          tag: 'payments',
          id: 'getPayment',
          summary: 'Get a payment',
          refusals: ['payment_not_found'],
          success: { status: 200, schema: PaymentResponse, description: 'The payment; as PDF its receipt.' },
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
        return await reply.type(JSON_TYPE).send(await payments.findJson(id));
      }
      return await sendPdf(
        reply,
        await documents.render({ kind: 'receipt', id }, languageOf(request, request.query.lang)),
      );
    },
  );

  routes.post(
    '/payments/:id/reversal',
    {
      schema: {
        ...creationDocs({
          tag: 'payments',
          id: 'reversePayment',
          summary: 'Take back a payment that was wrong',
          description: 'It stays on record and stops counting; what is pending on its invoice rises again.',
          refusals: ['payment_not_found', 'payment_already_reversed'],
          success: { status: 201, schema: PaymentResponse, description: 'The payment, reversed.' },
        }),
        params: IdParams,
        body: ReversalCreate,
      },
    },
    async (request, reply) =>
      await answerCreation(
        request,
        reply,
        toPaymentResponse,
        async (creation) => await payments.reverse(request.params.id, request.body.reason, creation),
      ),
  );

  routes.get(
    '/invoices/:id/payments',
    {
      schema: {
        ...readDocs({
          tag: 'payments',
          id: 'listInvoicePayments',
          summary: 'List the payments of an invoice',
          refusals: ['invoice_not_found'],
          success: PAGE,
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
        const rows = await payments.streamOfInvoice(invoiceId);
        return await sendCsv(request, reply, {
          name: csvName('payments', { invoiceId }),
          columns: CSV_COLUMNS.payments,
          rows,
        });
      }
      const page = readPageRequest(request.query, ['time', 'id']);
      const listing = await payments.listOfInvoice(invoiceId, page, countModeOf(request.query));
      return sendListing(request, reply, listing, page);
    },
  );

  routes.post(
    '/invoices/:id/payments',
    {
      schema: {
        ...creationDocs({
          tag: 'payments',
          id: 'createInvoicePayment',
          summary: 'Record a payment of this invoice',
          refusals: REFUSALS,
          success: RECORDED,
        }),
        params: IdParams,
        body: InvoicePaymentCreate,
      },
    },
    async (request, reply) => await record(request, reply, toRecordPayment(request.params.id, request.body)),
  );
}

function toTimeBound(text: string): { date: string } | { instant: Date } {
  return isCalendarDate(text) ? { date: text } : { instant: parseTimestamp(text) };
}

/** Before it, the day of a payment would be a day before year 1 in the schools west of UTC, and no calendar date. */
const PAID_AT_MIN = new Date('0001-01-02T00:00:00Z');

/** Belongs to the form of the request, but no schema knows what time it is. */
function refuseOtherTimes(paidAt: Date | null, now: Date): void {
  if (paidAt === null || (paidAt >= PAID_AT_MIN && paidAt <= now)) return;
  const detail = paidAt > now ? 'must not be in the future' : 'must not be before 0001-01-02T00:00:00Z';
  throw new HttpError('request_invalid', 'The request has invalid fields', {
    errors: [{ pointer: '#/paid_at', detail }],
  });
}
