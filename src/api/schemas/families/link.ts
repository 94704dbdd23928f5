import { type Static, Type } from 'typebox';
import { toExpiry } from '../api-key.ts';
import { Id, STRICT, Timestamp, TimestampOrNull } from '../common.ts';

const ExpiresAt = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  format: 'date-time',
  description: 'In the future. Null: until it is taken back.',
  examples: ['2099-07-31T00:00:00Z'],
});

export const FamilyLinkCreate = Type.Object(
  { expires_at: Type.Optional(ExpiresAt) },
  { ...STRICT, $id: 'FamilyLinkCreate' },
);

const MEMBERS = {
  id: Id,
  school_id: Id,
  family_id: Id,
  created_at: Timestamp,
  expires_at: { ...TimestampOrNull, description: 'Null: until it is taken back.' },
  last_used_at: { ...TimestampOrNull, description: 'When somebody last signed in with it.' },
};

export const FamilyLinkResponse = Type.Object(MEMBERS, { $id: 'FamilyLink' });

export const IssuedFamilyLinkResponse = Type.Object(
  {
    ...MEMBERS,
    token: Type.String({
      description: '`link_token` of `POST /session`. It stands nowhere else, and cannot be shown again.',
      examples: ['q0VbLZ4m2mYlcs4wNTNpM7oGk0GJq2u9W8mT2oQ3XyE'],
    }),
    address: Type.String({
      description: 'To be handed over. The token stands behind the #, which browsers send to no server.',
      examples: ['https://billing.example.com/#link=q0VbLZ4m2mYlcs4wNTNpM7oGk0GJq2u9W8mT2oQ3XyE'],
    }),
  },
  { $id: 'IssuedFamilyLink' },
);

/** @throws HttpError `request_invalid` */
export function toLinkExpiry({ expires_at: expiresAt }: Static<typeof FamilyLinkCreate>, now: Date): Date | null {
  return toExpiry(expiresAt ?? null, now);
}
