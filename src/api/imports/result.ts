import { Type } from 'typebox';

const Count = Type.Integer({ minimum: 0 });

const ImportErrorSchema = Type.Object(
  {
    line: Type.Integer({ description: 'Of the file, from 1, where the header is.', examples: [7] }),
    column: Type.Unsafe<string | null>({
      type: ['string', 'null'],
      description: 'Null: the whole line is wrong.',
      examples: ['email'],
    }),
    code: Type.String({ description: 'For programs.', examples: ['email_invalid'] }),
    detail: Type.String({ description: 'For people.', examples: ['must be an email address'] }),
  },
  { $id: 'ImportError' },
);

export const ImportResponse = Type.Object(
  {
    rows: { ...Count, description: 'Of the file, without its header.' },
    created: Count,
    updated: Count,
    unchanged: Count,
    errors: Type.Array(ImportErrorSchema, {
      description: 'Of a dry run: what is wrong, at most 10,000. None otherwise.',
    }),
  },
  { $id: 'ImportResult' },
);
