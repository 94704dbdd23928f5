import { type Static, Type } from 'typebox';
import {
  type Letterhead,
  NO_LETTERHEAD,
  type SchoolChanges,
  type SchoolOpening,
} from '../../domain/accounts/school.ts';
import { emailOrNull, Id, nameText, STRICT, Timestamp, updatedSince, visibleTextOrNull } from './common.ts';
import { searchOf } from './search.ts';

const Country = Type.String({ format: 'country', description: 'ISO 3166-1 alpha-2. Upper-cased.', examples: ['MX'] });
const Currency = Type.String({ format: 'currency', description: 'ISO 4217. Upper-cased.', examples: ['MXN'] });
const ZONE = 'IANA name. Due dates, "overdue" and date ranges are calendar days of this zone.';
const Timezone = Type.String({
  format: 'timezone',
  maxLength: 64,
  description: ZONE,
  examples: ['America/Mexico_City'],
});
const PREFIX = 'Beginning of document numbers, such as F in F-2026-000123.';
const Prefix = Type.String({
  pattern: '^[A-Z0-9]{1,10}$',
  'x-pattern-detail': 'must be 1 to 10 capital letters or digits',
  description: PREFIX,
});
/** What its papers say of a school; all optional, `null` takes one away. */
const LETTERHEAD = {
  legal_name: visibleTextOrNull(255, {
    description: 'Of whoever runs it, where that is another. Printed on its papers.',
    examples: ['Instituto Miguel Hidalgo, A.C.'],
  }),
  tax_id: visibleTextOrNull(50, {
    description: 'RFC, NIT, RUC, CNPJ. Printed on its papers.',
    examples: ['IMH850101AB1'],
  }),
  address: visibleTextOrNull(500, {
    description: 'In lines. Printed on its papers.',
    examples: ['Av. Reforma 100, Cuauhtémoc\n06600 Ciudad de México'],
  }),
  phone: visibleTextOrNull(50, { description: 'Printed on its papers.', examples: ['+52 55 5555 0100'] }),
  email: emailOrNull({ description: 'Printed on its papers.', examples: ['caja@hidalgo.example'] }),
  payment_instructions: visibleTextOrNull(2_000, {
    description: 'How and where to pay, in lines. Printed on invoices, statements and letters to debtors.',
    examples: ['Transferencia a BBVA, CLABE 012180001234567897'],
  }),
  invoice_title: visibleTextOrNull(100, {
    description: 'What its invoices are called on paper. Default: `Aviso de cobro`, in the language of the paper.',
    examples: ['Aviso de cobro'],
  }),
};
const LETTERHEAD_CHANGES = {
  legal_name: Type.Optional(LETTERHEAD.legal_name),
  tax_id: Type.Optional(LETTERHEAD.tax_id),
  address: Type.Optional(LETTERHEAD.address),
  phone: Type.Optional(LETTERHEAD.phone),
  email: Type.Optional(LETTERHEAD.email),
  payment_instructions: Type.Optional(LETTERHEAD.payment_instructions),
  invoice_title: Type.Optional(LETTERHEAD.invoice_title),
};
const Name = nameText(255, 'Colegio Miguel Hidalgo');

export const SchoolCreate = Type.Object(
  {
    name: Name,
    country: Country,
    currency: Currency,
    timezone: Type.Optional({ ...Timezone, description: `${ZONE} Default: that of the country.` }),
    invoice_prefix: Type.Optional({ ...Prefix, default: 'F' }),
    receipt_prefix: Type.Optional({ ...Prefix, default: 'R' }),
    credit_note_prefix: Type.Optional({
      ...Prefix,
      description: `${PREFIX} Default: NC; CN, NCR or NDC where one of the others is that.`,
    }),
    refund_prefix: Type.Optional({
      ...Prefix,
      description: `${PREFIX} Default: DV; RF, DEV or DVR where one of the others is that.`,
    }),
    ...LETTERHEAD_CHANGES,
  },
  { ...STRICT, $id: 'SchoolCreate' },
);

export const SchoolUpdate = Type.Object(
  {
    name: Type.Optional(Name),
    country: Type.Optional(Country),
    currency: Type.Optional(Currency),
    timezone: Type.Optional(Timezone),
    invoice_prefix: Type.Optional(Prefix),
    receipt_prefix: Type.Optional(Prefix),
    credit_note_prefix: Type.Optional(Prefix),
    refund_prefix: Type.Optional(Prefix),
    ...LETTERHEAD_CHANGES,
  },
  { ...STRICT, $id: 'SchoolUpdate' },
);

export const SchoolQuery = {
  is_active: Type.Optional(Type.Boolean()),
  country: Type.Optional(Country),
  q: searchOf('the name'),
  updated_since: updatedSince('Made or changed'),
};

export const SchoolResponse = Type.Object(
  {
    id: Id,
    name: Name,
    country: Country,
    currency: Currency,
    timezone: Timezone,
    invoice_prefix: Type.String({ examples: ['F'] }),
    receipt_prefix: Type.String({ examples: ['R'] }),
    is_active: Type.Boolean({ examples: [true] }),
    created_at: Timestamp,
    updated_at: Timestamp,
    credit_note_prefix: Type.String({ examples: ['NC'] }),
    ...LETTERHEAD,
    refund_prefix: Type.String({ examples: ['DV'] }),
  },
  { $id: 'School' },
);

export function toNewSchool(body: Static<typeof SchoolCreate>): SchoolOpening {
  const country = body.country.toUpperCase();
  return {
    name: body.name,
    country,
    currency: body.currency.toUpperCase(),
    timezone: body.timezone ?? null,
    invoicePrefix: body.invoice_prefix ?? 'F',
    receiptPrefix: body.receipt_prefix ?? 'R',
    creditNotePrefix: body.credit_note_prefix ?? null,
    refundPrefix: body.refund_prefix ?? null,
    ...NO_LETTERHEAD,
    ...toLetterhead(body),
  };
}

export function toSchoolChanges(body: Static<typeof SchoolUpdate>): SchoolChanges {
  return {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.country === undefined ? {} : { country: body.country.toUpperCase() }),
    ...(body.currency === undefined ? {} : { currency: body.currency.toUpperCase() }),
    ...(body.timezone === undefined ? {} : { timezone: body.timezone }),
    ...(body.invoice_prefix === undefined ? {} : { invoicePrefix: body.invoice_prefix }),
    ...(body.receipt_prefix === undefined ? {} : { receiptPrefix: body.receipt_prefix }),
    ...(body.credit_note_prefix === undefined ? {} : { creditNotePrefix: body.credit_note_prefix }),
    ...(body.refund_prefix === undefined ? {} : { refundPrefix: body.refund_prefix }),
    ...toLetterhead(body),
  };
}

/** What the body names of it. */
function toLetterhead(body: Static<typeof SchoolUpdate>): Partial<Letterhead> {
  return {
    ...(body.legal_name === undefined ? {} : { legalName: body.legal_name }),
    ...(body.tax_id === undefined ? {} : { taxId: body.tax_id }),
    ...(body.address === undefined ? {} : { address: body.address }),
    ...(body.phone === undefined ? {} : { phone: body.phone }),
    ...(body.email === undefined ? {} : { email: body.email }),
    ...(body.payment_instructions === undefined ? {} : { paymentInstructions: body.payment_instructions }),
    ...(body.invoice_title === undefined ? {} : { invoiceTitle: body.invoice_title }),
  };
}
