import { type Static, Type } from 'typebox';
import type { ApiKeyChanges, ApiKeyDraft } from '../../domain/access/api-key.ts';
import { SCOPES } from '../../domain/access/scopes.ts';
import { parseTimestamp } from '../../domain/shared/calendar.ts';
import { HttpError } from '../edge/problems.ts';
import { columnsOf } from '../responses/table.ts';
import { Id, nameText, oneOf, STRICT, Timestamp, TimestampOrNull } from './common.ts';

const SCHOOLS_MAX = 1_000;
const OVERLAP_MAX_SECONDS = 604_800;
const KEY_PATTERN = '^mtl_[0-9A-Za-z]{38}$';
const EXAMPLE = 'mtl_4kZ0nQb7XwR2tYp9LmVs8HcJd3FgTa6E0xUq1B';

export const ScopeSchema = oneOf(SCOPES, {
  $id: 'Scope',
  description: 'A resource and what may be done with it. `write` includes `read`.',
  examples: ['payments:write'],
});

const Name = nameText(100, 'Cash desk');
const Scopes = Type.Array(ScopeSchema, { minItems: 1, maxItems: SCOPES.length, examples: [['payments:write']] });
const SchoolIds = Type.Unsafe<number[] | null>({
  type: ['array', 'null'],
  items: Id,
  minItems: 1,
  maxItems: SCHOOLS_MAX,
  description: 'What belongs to other schools does not exist for the key. Null: all schools, those to come too.',
  examples: [[1]],
});
const ExpiresAt = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  format: 'date-time',
  description: 'In the future. Null: never.',
  examples: ['2099-12-31T00:00:00Z'],
});

export const ApiKeyCreate = Type.Object(
  { name: Name, school_ids: SchoolIds, scopes: Scopes, expires_at: Type.Optional(ExpiresAt) },
  { ...STRICT, $id: 'ApiKeyCreate' },
);

export const ApiKeyUpdate = Type.Object(
  {
    name: Type.Optional(Name),
    school_ids: Type.Optional(SchoolIds),
    scopes: Type.Optional(Scopes),
    expires_at: Type.Optional(ExpiresAt),
  },
  { ...STRICT, $id: 'ApiKeyUpdate' },
);

export const RotationCreate = Type.Object(
  {
    overlap_seconds: Type.Integer({
      minimum: 0,
      maximum: OVERLAP_MAX_SECONDS,
      description: 'So long are the keys before taken too, if they do not end sooner. 0 where one has leaked.',
      examples: [3_600],
    }),
  },
  { ...STRICT, $id: 'ApiKeyRotationCreate' },
);

const MEMBERS = {
  id: Id,
  name: Name,
  school_ids: SchoolIds,
  scopes: Scopes,
  start: Type.String({ description: 'How the key begins, to tell it apart.', examples: [EXAMPLE.slice(0, 8)] }),
  created_at: Timestamp,
  updated_at: Timestamp,
  expires_at: TimestampOrNull,
  last_used_at: { ...TimestampOrNull, description: 'To the minute.' },
  revoked_at: TimestampOrNull,
};

export const ApiKeyResponse = Type.Object(MEMBERS, { $id: 'ApiKey' });

export const IssuedApiKeyResponse = Type.Object(
  {
    ...MEMBERS,
    key: Type.String({
      pattern: KEY_PATTERN,
      description: 'For `X-API-Key`. It stands nowhere else, and cannot be shown again.',
      examples: [EXAMPLE],
    }),
  },
  { $id: 'IssuedApiKey' },
);

/** Of files, where a cell holds the ids of schools and the scopes with a space between them. */
export const API_KEY_COLUMNS = columnsOf(ApiKeyResponse);

export const MeResponse = Type.Object(
  {
    kind: oneOf(['root', 'key', 'user', 'link'], { examples: ['key'] }),
    name: Type.String({ description: 'Of the key or the person; `API_KEY` for root.', examples: ['Cash desk'] }),
    school_ids: Type.Unsafe<number[] | null>({
      type: ['array', 'null'],
      items: Id,
      description: 'Null: all schools.',
      examples: [[1]],
    }),
    scopes: Type.Array(ScopeSchema, { examples: [['payments:write']] }),
    family_id: Type.Unsafe<number | null>({
      ...Id,
      type: ['integer', 'null'],
      description: 'Whose link it is. Null for all others.',
      examples: [null],
    }),
  },
  { $id: 'Me' },
);

/** @throws HttpError `request_invalid` */
export function toApiKeyDraft(body: Static<typeof ApiKeyCreate>, now: Date): ApiKeyDraft {
  return {
    name: body.name,
    schoolIds: body.school_ids,
    scopes: body.scopes,
    expiresAt: toExpiry(body.expires_at ?? null, now),
  };
}

/** @throws HttpError `request_invalid` */
export function toApiKeyChanges(body: Static<typeof ApiKeyUpdate>, now: Date): ApiKeyChanges {
  return {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.school_ids === undefined ? {} : { schoolIds: body.school_ids }),
    ...(body.scopes === undefined ? {} : { scopes: body.scopes }),
    ...(body.expires_at === undefined ? {} : { expiresAt: toExpiry(body.expires_at, now) }),
  };
}

/** Belongs to the form of the request, but no schema knows what time it is. */
export function toExpiry(text: string | null, now: Date): Date | null {
  if (text === null) return null;
  const expiresAt = parseTimestamp(text);
  if (expiresAt > now) return expiresAt;
  throw new HttpError('request_invalid', 'The request has invalid fields', {
    errors: [{ pointer: '#/expires_at', detail: 'must be in the future' }],
  });
}
