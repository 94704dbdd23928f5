import { type Actor, readerOfParts } from '../../domain/access/actor.ts';
import type { BilledFamily } from '../../domain/accounts/family.ts';
import type { PaidInvoice } from '../../domain/billing/allocation.ts';
import type { Payment } from '../../domain/billing/payment.ts';
import { DomainError } from '../../domain/shared/errors.ts';
import type { PrintedDocument } from '../../domain/shared/ports.ts';
import type { Repositories } from '../../repositories/shared/unit-of-work.ts';
import { frame, type NamedDocument, type RenderContext, renderContext, type Sources } from './context.ts';
import { payerFacts } from './family-details.ts';
import { DOCUMENT_LINES_MAX, tooLong } from './lines.ts';
import type { Language } from './locale.ts';
import { partiesOfInvoice } from './parties.ts';
import { allOnOne, type PaidOnOne, spread } from './receipt-tables.ts';
import { fill } from './words/words.ts';

/** What a receipt is made of; `one` where all of the payment lies on the invoice it was made for. */
type Received = Readonly<{
  payment: Payment;
  paid: readonly PaidInvoice[];
  one: PaidOnOne | undefined;
  family: BilledFamily | undefined;
  movedAt: Date | null;
  refunds: readonly RefundLine[];
}>;

/** A refund as the projection of their list writes it. */
type RefundLine = Readonly<{ number: string; amount: string; refunded_on: string }>;

/**
 * Of a payment that lies whole on the invoice it was made for as of the payment: what was credited and paid before it, and
 * what it left, so that a receipt that is printed again says what it said; but the total is the invoice's of today, should
 * that have been corrected since. Of any other payment what it pays and what of it is credit, as it stands.
 *
 * @param id of the payment
 * @throws DomainError `payment_not_found`, `document_too_long`
 */
export async function readReceipt(
  sources: Sources,
  actor: Actor,
  id: number,
  language: Language | null,
): Promise<NamedDocument> {
  const { school, ...received } = await sources.unitOfWork.snapshot(async (repositories) => {
    const payment = await repositories.payments.find(actor, id);
    if (payment === undefined) throw new DomainError('payment_not_found', `Payment with id ${id} not found`);
    return await readReceived(repositories, actor, payment);
  });
  const { payment, one, family } = received;
  const context = renderContext(sources, school, language);
  const { locale, words, now } = context;
  const document: PrintedDocument = {
    ...frame(context, words.receipt, payment.number, one?.student ?? family),
    facts: [
      [words.paidOn, locale.day(payment.paidOn)],
      [words.receivedBy, school.name],
      ...(one === undefined || family === undefined ? [] : payerFacts(words.paidBy, family, context)),
      ...(payment.method === null ? [] : [[words.method, words.paymentMethod[payment.method]] as const]),
      ...(payment.reference === null ? [] : [[words.reference, payment.reference] as const]),
      ...(payment.reversedOn === null ? [] : [[words.reversed, locale.day(payment.reversedOn)] as const]),
      [words.currency, locale.currency()],
      [words.generated, locale.moment(now)],
    ],
    mark: payment.reversedOn === null ? null : { text: words.stamp.PAYMENT_REVERSED, tone: 'bad' },
    ...(one === undefined ? spread(context, payment, received.paid) : allOnOne(context, payment, one)),
    notes: notesOf(received, context),
  };
  return { name: `receipt-${payment.number}`, document };
}

async function readReceived(repositories: Repositories, actor: Actor, payment: Payment) {
  const { allocations, families, invoices, payments, refunds, schools } = repositories;
  const { id, familyId, schoolId } = payment;
  const reader = readerOfParts(actor);
  const school = await schools.find(reader, schoolId);
  if (school === undefined) throw new Error(`payment ${id} has no school`);
  const paid = await allocations.listPaid(reader, id, DOCUMENT_LINES_MAX + 1);
  if (paid.length > DOCUMENT_LINES_MAX) throw tooLong('receipt');
  const family = familyId === null ? undefined : await families.find(reader, familyId);
  // Without a family there is no credit, and nowhere for the money to go to.
  const isWhole =
    familyId === null || paid.some((one) => one.invoiceId === payment.invoiceId && one.amount === payment.amount);
  if (payment.invoiceId !== null && isWhole) {
    const invoice = await invoices.find(reader, payment.invoiceId);
    if (invoice === undefined) throw new Error(`payment ${id} has no invoice`);
    const before = await payments.sumBefore(reader, payment, invoice.id);
    const { student } = await partiesOfInvoice(actor, repositories, invoice);
    return { school, payment, paid, family, one: { invoice, before, student }, movedAt: null, refunds: [] };
  }
  const movedAt = await allocations.findMovedAt(reader, id);
  const page = await refunds.list(reader, id, { limit: DOCUMENT_LINES_MAX, offset: 0, cursor: null });
  if (page.next !== null) throw tooLong('receipt');
  const given: RefundLine[] = JSON.parse(page.json);
  return { school, payment, paid, family, one: undefined, movedAt, refunds: given };
}

/** Who holds a receipt in hand must not have to guess what its stamp means, nor why it says something else than before. */
function notesOf({ payment, movedAt, refunds }: Received, { locale, words }: RenderContext): string[] {
  const { reversedOn, reversalReason } = payment;
  return [
    ...(reversedOn === null
      ? []
      : [`${fill(words.countsNoMore, { day: locale.day(reversedOn) })} ${words.reason}: ${reversalReason ?? ''}`]),
    ...refunds.map(({ number, amount, refunded_on }) =>
      fill(words.refundedOn, { amount: locale.money(amount), day: locale.day(refunded_on), number }),
    ),
    ...(movedAt === null ? [] : [fill(words.movedOn, { day: locale.dayOf(movedAt) })]),
  ];
}
