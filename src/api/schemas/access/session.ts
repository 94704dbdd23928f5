import { type Static, Type } from 'typebox';
import { PASSWORD_LENGTH_MAX } from '../../../domain/access/sign-in.ts';
import type { Credentials } from '../../../services/access/session-service.ts';
import { HttpError } from '../../edge/problems.ts';
import { Id, nameText, oneOf, STRICT, Timestamp } from '../common.ts';
import { Password, UserResponse } from './user.ts';

/** What we make has 43 characters. */
const TOKEN = '^[A-Za-z0-9_-]{43}$';

/** What a password that somebody has may look like: rules of new ones may have been others once. */
const GivenPassword = Type.String({
  minLength: 1,
  maxLength: PASSWORD_LENGTH_MAX,
  examples: ['correct horse battery staple'],
});

/** With an e-mail and a password, or with the token of a family's link. */
export const SessionCreate = Type.Object(
  {
    email: Type.Optional(Type.String({ format: 'email', maxLength: 255, examples: ['caja@colegio.example'] })),
    password: Type.Optional(GivenPassword),
    link_token: Type.Optional(Type.String({ pattern: TOKEN, description: "Of a family's link, instead." })),
  },
  { ...STRICT, $id: 'SessionCreate' },
);

/** @throws HttpError `request_invalid` */
export function toSignIn({
  email,
  password,
  link_token: linkToken,
}: Static<typeof SessionCreate>): Credentials | Readonly<{ linkToken: string }> {
  const isByLink = linkToken !== undefined;
  const wanted = isByLink ? { email, password } : {};
  const [refused] = Object.entries(wanted).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (refused !== undefined) throw invalid(refused, 'must not stand beside link_token');
  if (isByLink) return { linkToken };
  if (email === undefined) throw invalid('email', 'is required');
  if (password === undefined) throw invalid('password', 'is required');
  return { email, password };
}

function invalid(name: string, detail: string): HttpError {
  return new HttpError('request_invalid', 'The request has invalid fields', {
    errors: [{ pointer: `#/${name}`, detail }],
  });
}

const { id, email, name, locale, memberships } = UserResponse.properties;

export const SessionResponse = Type.Object(
  {
    kind: oneOf(['user', 'link'], { examples: ['user'] }),
    user: Type.Union([Type.Object({ id, email, name, locale }, { $id: 'SignedInUser' }), Type.Null()], {
      description: "Null: whoever has a family's link.",
    }),
    memberships,
    family: Type.Union(
      [
        Type.Object({ id, school_id: Id, name: nameText(200, 'Familia Hernández') }, { $id: 'SignedInFamily' }),
        Type.Null(),
      ],
      { description: 'Whose link it is. Null: a user.' },
    ),
    created_at: Timestamp,
    expires_at: Timestamp,
  },
  { $id: 'Session', description: 'Ends earlier when it is not used for 12 hours.' },
);

export const InvitationParams = Type.Object({
  token: Type.String({
    minLength: 43,
    maxLength: 43,
    pattern: TOKEN,
    description: 'Of the invitation.',
  }),
});

export const InvitationTake = Type.Object({ password: Password }, { ...STRICT, $id: 'InvitationTake' });

const FromProvider = Type.Optional(Type.String({ maxLength: 4_096, 'x-text': true }));

/** Not strict: whatever else a provider adds is looked at by the library, which knows what it means. */
export const CallbackQuery = Type.Object({ code: FromProvider, state: FromProvider });
