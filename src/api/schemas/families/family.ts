import { type Static, Type } from 'typebox';
import type { FamilyChanges, NewFamily } from '../../../domain/accounts/family.ts';
import {
  amountOut,
  Id,
  nameText,
  STRICT,
  Timestamp,
  text,
  textOrNull,
  updatedSince,
  visibleTextOrNull,
} from '../common.ts';
import { searchOf } from '../search.ts';
import { GuardianResponse } from './guardian.ts';

const Name = nameText(200, 'Familia Hernández Ñúñez');
const ExternalId = visibleTextOrNull(100, {
  description: "Its id in the school's own system. Unique in the school.",
  examples: ['F-0417'],
});
const TaxId = visibleTextOrNull(50, {
  description: 'Of whom its invoices are for before the law: RFC, NIT, RUC, CNPJ.',
  examples: ['HENM800101AB1'],
});
const TaxName = visibleTextOrNull(255, {
  description: 'Their name before the law.',
  examples: ['Hernández y Cía., S.C.'],
});
const TaxAddress = visibleTextOrNull(500, {
  description: 'In lines.',
  examples: ['Av. Reforma 100\n06600 Ciudad de México'],
});
const AutoApply = Type.Boolean({
  description:
    'Whether a new invoice is paid from credit when it is issued. Switching it on applies nothing by itself.',
});

export const FamilyCreate = Type.Object(
  {
    school_id: Id,
    name: Name,
    external_id: Type.Optional(ExternalId),
    tax_id: Type.Optional(TaxId),
    tax_name: Type.Optional(TaxName),
    tax_address: Type.Optional(TaxAddress),
    auto_apply: Type.Optional({ ...AutoApply, default: true }),
  },
  { ...STRICT, $id: 'FamilyCreate' },
);

export const FamilyUpdate = Type.Object(
  {
    name: Type.Optional(Name),
    external_id: Type.Optional(ExternalId),
    tax_id: Type.Optional(TaxId),
    tax_name: Type.Optional(TaxName),
    tax_address: Type.Optional(TaxAddress),
    auto_apply: Type.Optional(AutoApply),
  },
  { ...STRICT, $id: 'FamilyUpdate' },
);

export const FamilyQuery = {
  school_id: Type.Optional(Id),
  external_id: Type.Optional(text(1, 100, { description: 'The whole id, as it was given.' })),
  q: searchOf('the name, the external id, the guardians or the students: each word in any of them'),
  updated_since: updatedSince('Made or changed, or whose guardians or credit were,'),
};

export const FamilyResponse = Type.Object(
  {
    id: Id,
    school_id: Id,
    name: Name,
    external_id: ExternalId,
    tax_id: TaxId,
    tax_name: TaxName,
    tax_address: TaxAddress,
    auto_apply: AutoApply,
    credit: amountOut('500.00', 'What of its payments lies on no invoice.'),
    guardians: Type.Array(GuardianResponse, { description: 'By id.' }),
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'Family' },
);

const { guardians: _, ...COLUMNS } = FamilyResponse.properties;

/** A family in a file, which has no place for all its guardians: the one to call. */
export const FamilyRow = Type.Object({
  ...COLUMNS,
  principal_name: textOrNull(200),
  principal_email: textOrNull(255),
  principal_phone: textOrNull(50),
});

export function toNewFamily(body: Static<typeof FamilyCreate>): NewFamily {
  return {
    schoolId: body.school_id,
    name: body.name,
    externalId: body.external_id ?? null,
    taxId: body.tax_id ?? null,
    taxName: body.tax_name ?? null,
    taxAddress: body.tax_address ?? null,
    autoApply: body.auto_apply ?? true,
  };
}

export function toFamilyChanges(body: Static<typeof FamilyUpdate>): FamilyChanges {
  return {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.external_id === undefined ? {} : { externalId: body.external_id }),
    ...(body.tax_id === undefined ? {} : { taxId: body.tax_id }),
    ...(body.tax_name === undefined ? {} : { taxName: body.tax_name }),
    ...(body.tax_address === undefined ? {} : { taxAddress: body.tax_address }),
    ...(body.auto_apply === undefined ? {} : { autoApply: body.auto_apply }),
  };
}
