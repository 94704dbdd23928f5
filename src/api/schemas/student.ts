import { type Static, Type } from 'typebox';
import type { NewStudent, StudentChanges } from '../../domain/accounts/student.ts';
import {
  emailOrNull,
  Id,
  idOrNull,
  nameText,
  STRICT,
  Timestamp,
  text,
  updatedSince,
  visibleTextOrNull,
} from './common.ts';
import { searchOf } from './search.ts';

const FirstName = nameText(100, 'María');
const LastName = nameText(100, 'Hernández Ñúñez');
const Email = emailOrNull({
  description: 'Lower-cased. Unique over all schools. Null for a child without a mailbox.',
  examples: ['maria.hernandez@example.com'],
});

const FamilyId = idOrNull('Who owes its invoices from now on; a family of its school.');
const ExternalId = visibleTextOrNull(100, {
  description: "Its id in the school's own system. Unique in the school.",
  examples: ['A-2041'],
});

export const StudentCreate = Type.Object(
  {
    school_id: Id,
    first_name: FirstName,
    last_name: LastName,
    email: Email,
    family_id: Type.Optional(FamilyId),
    external_id: Type.Optional(ExternalId),
  },
  { ...STRICT, $id: 'StudentCreate' },
);

export const StudentUpdate = Type.Object(
  {
    first_name: Type.Optional(FirstName),
    last_name: Type.Optional(LastName),
    email: Type.Optional(Email),
    family_id: Type.Optional(FamilyId),
    external_id: Type.Optional(ExternalId),
  },
  { ...STRICT, $id: 'StudentUpdate' },
);

export const StudentQuery = {
  school_id: Type.Optional(Id),
  family_id: Type.Optional(Id),
  external_id: Type.Optional(text(1, 100, { description: 'The whole id, as it was given.' })),
  q: searchOf('the names and the email'),
  updated_since: updatedSince('Made or changed'),
};

export const StudentResponse = Type.Object(
  {
    id: Id,
    school_id: Id,
    first_name: FirstName,
    last_name: LastName,
    email: Email,
    created_at: Timestamp,
    updated_at: Timestamp,
    family_id: FamilyId,
    external_id: ExternalId,
  },
  { $id: 'Student' },
);

export function toNewStudent(body: Static<typeof StudentCreate>): NewStudent {
  return {
    schoolId: body.school_id,
    firstName: body.first_name,
    lastName: body.last_name,
    email: body.email?.toLowerCase() ?? null,
    familyId: body.family_id ?? null,
    externalId: body.external_id ?? null,
  };
}

export function toStudentChanges(body: Static<typeof StudentUpdate>): StudentChanges {
  return {
    ...(body.first_name === undefined ? {} : { firstName: body.first_name }),
    ...(body.last_name === undefined ? {} : { lastName: body.last_name }),
    ...(body.email === undefined ? {} : { email: body.email?.toLowerCase() ?? null }),
    ...(body.family_id === undefined ? {} : { familyId: body.family_id }),
    ...(body.external_id === undefined ? {} : { externalId: body.external_id }),
  };
}
