import { type Static, Type } from 'typebox';
import type { SchoolChanges, SchoolOpening } from '../../domain/accounts/school.ts';
import { Id, nameText, STRICT, Timestamp, updatedSince } from './common.ts';
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
const Prefix = Type.String({
  pattern: '^[A-Z0-9]{1,10}$',
  'x-pattern-detail': 'must be 1 to 10 capital letters or digits',
  description: 'Beginning of document numbers, such as F in F-2026-000123.',
});
const Name = nameText(255, 'Colegio Miguel Hidalgo');

export const SchoolCreate = Type.Object(
  {
    name: Name,
    country: Country,
    currency: Currency,
    timezone: Type.Optional({ ...Timezone, description: `${ZONE} Default: that of the country.` }),
    invoice_prefix: Type.Optional({ ...Prefix, default: 'F' }),
    receipt_prefix: Type.Optional({ ...Prefix, default: 'R' }),
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
  };
}
