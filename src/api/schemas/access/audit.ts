import { Type } from 'typebox';
import { Id, idOrNull, NamedDay, Timestamp } from '../common.ts';

const ACTION_MAX = 40;
const OBJECT_MAX = 50;
const PRINCIPAL_MAX = 64;

function members(description: string, example: object | null) {
  return Type.Unsafe<object | null>({
    type: ['object', 'null'],
    additionalProperties: true,
    description,
    examples: [example],
  });
}

export const AuditEntryResponse = Type.Object(
  {
    id: Id,
    at: Timestamp,
    school_id: idOrNull('The school it concerns; null for what concerns none, or several.'),
    principal_id: Type.String({
      description:
        'Who did it: `user 7`, `key:12`, the name of a program such as `command line`; of the key of the environment the first half of its SHA-256, as hexadecimal text.',
      examples: ['user 7'],
    }),
    request_id: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'The `X-Request-Id` it was done with.',
      examples: ['q3Zx-1f'],
    }),
    action: Type.String({ description: 'What happened.', examples: ['invoice_updated'] }),
    object: Type.String({ description: 'What it happened to.', examples: ['invoice:12'] }),
    before: members('What it was; of a change, the members that changed. Null where it was not there.', {
      amount_total: '100.00',
    }),
    after: members(
      'What it became. Null where it is no more. What may name a person, or is a secret, stands here as `set` or `changed`.',
      { amount_total: '120.00', description: 'changed' },
    ),
  },
  { $id: 'AuditEntry' },
);

export const AuditQuery = {
  school_id: Type.Optional(Id),
  principal_id: Type.Optional(
    Type.String({ minLength: 1, maxLength: PRINCIPAL_MAX, 'x-text': true, examples: ['user 7'] }),
  ),
  action: Type.Optional(
    Type.String({ minLength: 1, maxLength: ACTION_MAX, 'x-text': true, examples: ['invoice_voided'] }),
  ),
  object: Type.Optional(Type.String({ minLength: 1, maxLength: OBJECT_MAX, 'x-text': true, examples: ['invoice:12'] })),
  from: Type.Optional(NamedDay('From this day on: of the school of each entry, in UTC where it has none.')),
  to: Type.Optional(NamedDay('Up to this day, which counts.')),
};
