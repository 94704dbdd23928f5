import { CURRENCIES_WITHOUT_DECIMALS } from '../../../domain/shared/iso.ts';
import { type Statement, sql } from '../../../infrastructure/postgres/sql.ts';
import { type Check, notBefore } from './walk.ts';

export function isWhole(amount: Statement, currency: Statement): Check {
  return {
    code: 'amount_has_fraction',
    isWrong: sql`(${amount} <> trunc(${amount}) and ${currency} = any (${CURRENCIES_WITHOUT_DECIMALS}::text[]))`,
    stored: amount,
    expected: sql`${currency} || ' has no decimals'`,
  };
}

/** Of the invoice that a payment, an allocation or a credit note `b` is of, what they are compared with. */
export const INVOICE_OF = sql`
  left join lateral (
    select i.id, i.school_id, i.family_id, i.currency, i.issued_at, i.voided_at, i.updated_at from invoices i
    where i.id = b.invoice_id order by i.school_id <> b.school_id limit 1
  ) invoice on true`;

/** Of the payment that an allocation or a refund `b` is of, what they are compared with. */
export const PAYMENT_OF = sql`
  left join lateral (
    select p.id, p.school_id, p.family_id, p.created_at, p.booked_on from payments p
    where p.id = b.payment_id order by p.school_id <> b.school_id limit 1
  ) payment on true`;

/** The currency of the school of `b`: one has no other. */
export const SCHOOL_OF = sql`
  left join lateral (select sc.id, sc.currency from schools sc where sc.id = b.school_id limit 1) school on true`;

/** The family that `b` names is one of its school, if it names one. */
export const IN_FAMILY_OF_SCHOOL: Check = {
  code: 'family_not_of_school',
  isWrong: sql`(b.family_id is not null
    and not exists (select from families f where f.id = b.family_id and f.school_id = b.school_id))`,
  stored: sql`b.family_id`,
};

/** What happened to an invoice did so between its issue and its void, and was its last change or before that. */
export function onInvoice(name: string, time: Statement): readonly Check[] {
  return [
    notBefore([name, time], ['issued_at of the invoice', sql`invoice.issued_at`]),
    notBefore(['voided_at of the invoice', sql`invoice.voided_at`], [name, time]),
    notBefore(['updated_at of the invoice', sql`invoice.updated_at`], [name, time]),
  ];
}
