import { type Static, Type } from 'typebox';
import type { NewStudent, StudentChanges } from '../../domain/accounts/student.ts';
import { emailOrNull, Id, nameText, STRICT, Timestamp, updatedSince } from './common.ts';
import { searchOf } from './search.ts';

const FirstName = nameText(100, 'María');
const LastName = nameText(100, 'Hernández Ñúñez');
const Email = Type.String({
  format: 'email',
  maxLength: 255,
  description: 'Lower-cased. Unique over all schools.',
  examples: ['maria.hernandez@example.com'],
});
const EmailOrNull = emailOrNull({
  description: 'Lower-cased. Unique over all schools. Null for a child without a mailbox.',
  examples: ['maria.hernandez@example.com'],
});

export const StudentCreate = Type.Object(
  { school_id: Id, first_name: FirstName, last_name: LastName, email: EmailOrNull },
  { ...STRICT, $id: 'StudentCreate' },
);

export const StudentUpdate = Type.Object(
  { first_name: Type.Optional(FirstName), last_name: Type.Optional(LastName), email: Type.Optional(Email) },
  { ...STRICT, $id: 'StudentUpdate' },
);

export const StudentQuery = {
  school_id: Type.Optional(Id),
  q: searchOf('the names and the email'),
  updated_since: updatedSince('Made or changed'),
};

export const StudentResponse = Type.Object(
  {
    id: Id,
    school_id: Id,
    first_name: FirstName,
    last_name: LastName,
    email: EmailOrNull,
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'Student' },
);

export function toNewStudent(body: Static<typeof StudentCreate>): NewStudent {
  return {
    schoolId: body.school_id,
    firstName: body.first_name,
    lastName: body.last_name,
    email: body.email?.toLowerCase() ?? null,
  };
}

export function toStudentChanges(body: Static<typeof StudentUpdate>): StudentChanges {
  return {
    ...(body.first_name === undefined ? {} : { firstName: body.first_name }),
    ...(body.last_name === undefined ? {} : { lastName: body.last_name }),
    ...(body.email === undefined ? {} : { email: body.email.toLowerCase() }),
  };
}
