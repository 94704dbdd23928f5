import { type Static, Type } from 'typebox';
import type { GuardianChanges, NewGuardian } from '../../../domain/accounts/guardian.ts';
import { emailOrNull, Id, nameText, STRICT, Timestamp, visibleTextOrNull } from '../common.ts';

const FullName = nameText(200, 'María Hernández Ñúñez');
const Email = emailOrNull({ description: 'Lower-cased.', examples: ['maria.hernandez@example.com'] });
const Phone = visibleTextOrNull(50, { examples: ['+52 55 5555 0100'] });
const Relationship = visibleTextOrNull(50, { description: "In the school's own words.", examples: ['madre'] });
const IsPrincipal = Type.Boolean({
  description: 'The one to call. Becoming it takes it from the other; who comes to a family without one is it.',
});

export const GuardianCreate = Type.Object(
  {
    full_name: FullName,
    email: Type.Optional(Email),
    phone: Type.Optional(Phone),
    relationship: Type.Optional(Relationship),
    is_principal: Type.Optional(IsPrincipal),
  },
  { ...STRICT, $id: 'GuardianCreate' },
);

export const GuardianUpdate = Type.Object(
  {
    full_name: Type.Optional(FullName),
    email: Type.Optional(Email),
    phone: Type.Optional(Phone),
    relationship: Type.Optional(Relationship),
    is_principal: Type.Optional(IsPrincipal),
  },
  { ...STRICT, $id: 'GuardianUpdate' },
);

export const GuardianResponse = Type.Object(
  {
    id: Id,
    family_id: Id,
    full_name: FullName,
    email: Email,
    phone: Phone,
    relationship: Relationship,
    is_principal: Type.Boolean({ description: 'The one to call: one of a family at most.', examples: [true] }),
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'Guardian' },
);

export function toNewGuardian(body: Static<typeof GuardianCreate>): NewGuardian {
  return {
    fullName: body.full_name,
    email: body.email?.toLowerCase() ?? null,
    phone: body.phone ?? null,
    relationship: body.relationship ?? null,
    isPrincipal: body.is_principal ?? false,
  };
}

export function toGuardianChanges(body: Static<typeof GuardianUpdate>): GuardianChanges {
  return {
    ...(body.full_name === undefined ? {} : { fullName: body.full_name }),
    ...(body.email === undefined ? {} : { email: body.email?.toLowerCase() ?? null }),
    ...(body.phone === undefined ? {} : { phone: body.phone }),
    ...(body.relationship === undefined ? {} : { relationship: body.relationship }),
    ...(body.is_principal === undefined ? {} : { isPrincipal: body.is_principal }),
  };
}
