import { type Static, Type } from 'typebox';
import { FINDING_CODES, SUBJECTS } from '../../domain/reporting/reconciliation.ts';
import { FINDINGS_KEPT_MAX, type Reconciliation } from '../../services/reporting/reconciliation-service.ts';
import { oneOf } from './common.ts';

const TextOrNull = Type.Unsafe<string | null>({ type: ['string', 'null'] });

const Found = Type.Object(
  {
    code: oneOf(FINDING_CODES, { examples: ['paid_sum_differs'], description: 'What is wrong.' }),
    ids: Type.Unsafe<Record<string, number | string>>({
      type: 'object',
      additionalProperties: { type: ['integer', 'string'] },
      description: 'The rows it is about.',
      examples: [{ invoice_id: 7, school_id: 1 }],
    }),
    stored: Type.Unsafe<string | null>({ ...TextOrNull, description: 'What the row says.', examples: ['500.00'] }),
    expected: Type.Unsafe<string | null>({
      ...TextOrNull,
      description: 'What the rows it stands for say.',
      examples: ['450.00'],
    }),
  },
  { $id: 'ReconciliationFinding' },
);

export const ReconciliationResponse = Type.Object(
  {
    ok: Type.Boolean({ description: 'Nothing is wrong with what was checked.', examples: [true] }),
    complete: Type.Boolean({
      description: 'The check came to the end; otherwise it goes on at `next`.',
      examples: [true],
    }),
    checked: Type.Object(
      Object.fromEntries(SUBJECTS.map((subject) => [subject, Type.Integer({ minimum: 0, examples: [0] })])),
      { description: 'Rows looked at in this answer; of document numbers, numbers given out.' },
    ),
    counts: Type.Unsafe<Record<string, number>>({
      type: 'object',
      additionalProperties: { type: 'integer', minimum: 1 },
      description: 'Findings in this answer by code, all of them.',
      examples: [{}],
    }),
    findings: Type.Array(Found, { description: `The first ${FINDINGS_KEPT_MAX} of them.` }),
    next: Type.Unsafe<string | null>({
      ...TextOrNull,
      description: 'Where to go on; null when complete.',
      examples: [null],
    }),
  },
  { $id: 'Reconciliation' },
);

/** @param next address of the rest */
export function toReconciliationResponse(
  { checked, counts, findings }: Reconciliation,
  next: string | null,
): Static<typeof ReconciliationResponse> {
  return {
    ok: findings.length === 0,
    complete: next === null,
    checked,
    counts: { ...counts },
    findings: findings.map(({ code, ids, stored, expected }) => ({ code, ids: { ...ids }, stored, expected })),
    next,
  };
}
