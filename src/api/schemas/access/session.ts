import { Type } from 'typebox';
import { PASSWORD_LENGTH_MAX } from '../../../domain/access/sign-in.ts';
import { STRICT, Timestamp } from '../common.ts';
import { Password, UserResponse } from './user.ts';

/** What a password that somebody has may look like: rules of new ones may have been others once. */
const GivenPassword = Type.String({
  minLength: 1,
  maxLength: PASSWORD_LENGTH_MAX,
  examples: ['correct horse battery staple'],
});

export const SessionCreate = Type.Object(
  {
    email: Type.String({ format: 'email', maxLength: 255, examples: ['caja@colegio.example'] }),
    password: GivenPassword,
  },
  { ...STRICT, $id: 'SessionCreate' },
);

const { id, email, name, locale, memberships } = UserResponse.properties;

export const SessionResponse = Type.Object(
  {
    kind: Type.Literal('user'),
    user: Type.Object({ id, email, name, locale }, { $id: 'SignedInUser' }),
    memberships,
    created_at: Timestamp,
    expires_at: Timestamp,
  },
  { $id: 'Session', description: 'Ends earlier when it is not used for 12 hours.' },
);

export const InvitationParams = Type.Object({
  token: Type.String({
    minLength: 43,
    maxLength: 43,
    pattern: '^[A-Za-z0-9_-]{43}$',
    description: 'Of the invitation.',
  }),
});

export const InvitationTake = Type.Object({ password: Password }, { ...STRICT, $id: 'InvitationTake' });

const FromProvider = Type.Optional(Type.String({ maxLength: 4_096, 'x-text': true }));

/** Not strict: whatever else a provider adds is looked at by the library, which knows what it means. */
export const CallbackQuery = Type.Object({ code: FromProvider, state: FromProvider });
