import { type Static, Type } from 'typebox';
import { ROLE_NAMES } from '../../../domain/access/roles.ts';
import { PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN } from '../../../domain/access/sign-in.ts';
import { LOCALES, type NewUser, type UserChanges } from '../../../domain/access/user.ts';
import { Id, nameText, oneOf, STRICT, Timestamp } from '../common.ts';

const MEMBERSHIPS_MAX = 200;

/** Somebody with a mailbox. */
export const UserEmail = Type.String({
  format: 'email',
  maxLength: 255,
  description: 'Lower-cased. Unique over all users.',
  examples: ['caja@colegio.example'],
});

export const Password = Type.String({
  minLength: PASSWORD_LENGTH_MIN,
  maxLength: PASSWORD_LENGTH_MAX,
  'x-text': true,
  examples: ['correct horse battery staple'],
});

const SchoolIdOrNull = Type.Unsafe<number | null>({
  type: ['integer', 'null'],
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  description: 'Null: all schools, also those to come.',
  examples: [1],
});

const MembershipSchema = Type.Object(
  { school_id: SchoolIdOrNull, role: oneOf(ROLE_NAMES, { $id: 'Role' }) },
  { ...STRICT, $id: 'Membership' },
);

const Memberships = Type.Array(MembershipSchema, {
  maxItems: MEMBERSHIPS_MAX,
  description: 'One for each school at most. Of those that you see.',
});
const Locale = oneOf(LOCALES, { description: 'The language that this person is spoken to in.', examples: ['es'] });
const Name = nameText(200, 'Lucía Gómez');

export const UserCreate = Type.Object(
  { email: UserEmail, name: Name, locale: Locale, memberships: Memberships },
  { ...STRICT, $id: 'UserCreate' },
);

export const UserUpdate = Type.Object(
  {
    name: Type.Optional(Name),
    locale: Type.Optional(Locale),
    is_active: Type.Optional(Type.Boolean({ description: 'False: may not sign in, and is signed out.' })),
    memberships: Type.Optional(Memberships),
  },
  { ...STRICT, $id: 'UserUpdate' },
);

export const UserQuery = { school_id: Type.Optional(Id) };

export const UserResponse = Type.Object(
  {
    id: Id,
    email: UserEmail,
    name: Name,
    locale: Locale,
    is_active: Type.Boolean(),
    has_signed_up: Type.Boolean({ description: 'Has chosen a password, or signed in at the OpenID provider.' }),
    memberships: Memberships,
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'User' },
);

export const InvitationResponse = Type.Object(
  {
    user_id: Id,
    token: Type.String({ description: 'Shown once, here.', examples: ['q0VbLZ4m2mYlcs4wNTNpM7oGk0GJq2u9W8mT2oQ3XyE'] }),
    address: Type.String({
      description: 'Where `PUT` with a password takes it. For who is invited alone: whoever has it becomes this user.',
      examples: ['https://billing.example.com/api/v1/invitations/q0VbLZ4m2mYlcs4wNTNpM7oGk0GJq2u9W8mT2oQ3XyE'],
    }),
    expires_at: Timestamp,
  },
  { $id: 'Invitation' },
);

export function toNewUser({ memberships, ...body }: Static<typeof UserCreate>): NewUser {
  return { ...body, email: body.email.toLowerCase(), memberships: toMemberships(memberships) };
}

export function toUserChanges({ name, locale, is_active, memberships }: Static<typeof UserUpdate>): UserChanges {
  return {
    ...(name === undefined ? {} : { name }),
    ...(locale === undefined ? {} : { locale }),
    ...(is_active === undefined ? {} : { isActive: is_active }),
    ...(memberships === undefined ? {} : { memberships: toMemberships(memberships) }),
  };
}

function toMemberships(memberships: Static<typeof Memberships>): NewUser['memberships'] {
  return memberships.map(({ school_id: schoolId, role }) => ({ schoolId, role }));
}
