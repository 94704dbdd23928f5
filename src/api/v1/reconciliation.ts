import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { SUBJECTS, type WalkPosition } from '../../domain/reporting/reconciliation.ts';
import type { ReconciliationService } from '../../services/reporting/reconciliation-service.ts';
import { HttpError } from '../edge/problems.ts';
import { one } from '../endpoint.ts';
import { elsewhere } from '../responses/pagination.ts';
import { ReconciliationResponse, toReconciliationResponse } from '../schemas/reconciliation.ts';

/** Well within the patience of clients and proxies. Half a million invoices with their payments are several pieces. */
const TIME_MAX_MS = 5_000;
const CURSOR_LENGTH_MAX = 1_000;

const limit = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 10_000_000, description: 'Rows to look at. Default: no limit but time.' }),
);
const cursor = Type.Optional(
  Type.String({ minLength: 1, maxLength: CURSOR_LENGTH_MAX, description: 'From `next` of the answer before.' }),
);

/**
 * One answer covers as much as fits into a few seconds and says where to go on: a GET that ran for minutes would be cut
 * by the first proxy on its way, and a job with an address of its own would need a table and somebody to run it.
 */
export function reconciliationRoutes(routes: FastifyInstance, reconciliation: ReconciliationService): void {
  one(routes, '/reconciliation', {
    tag: 'service',
    id: 'reconcile',
    scope: 'audit:read',
    summary: 'Compare every stored figure with the rows it is made of',
    description:
      'Derives what is paid, credited, numbered and owned again from the rows, and lists what disagrees, in your schools. One answer covers as much as fits into 5 seconds: while `complete` is false, follow `next` (also in `Link`). `mattilda-billing check` does the same in one go.',
    answer: { schema: ReconciliationResponse, description: 'What was checked, and what was found.' },
    query: { limit, cursor },
    json: async ({ actor, query, request, reply }) => {
      const result = await reconciliation.run(actor, {
        timeMaxMs: TIME_MAX_MS,
        ...(query.limit === undefined ? {} : { rowsMax: query.limit }),
        ...(query.cursor === undefined ? {} : { from: decode(query.cursor) }),
      });
      const next = result.next === null ? null : elsewhere(request.url, { cursor: encode(result.next) });
      if (next !== null) reply.header('link', `<${next}>; rel="next"`);
      return toReconciliationResponse(result, next);
    },
  });
}

function encode({ subject, after }: WalkPosition): string {
  return Buffer.from(JSON.stringify([subject, ...(after ?? [])])).toString('base64url');
}

/** @throws HttpError `request_invalid` for anything that {@link encode} does not write */
function decode(text: string): WalkPosition {
  const [name, ...after] = parse(text);
  const subject = SUBJECTS.find((one) => one === name);
  if (subject === undefined || !fits(subject, after)) {
    const detail = 'is not a cursor of the reconciliation';
    throw new HttpError('request_invalid', `cursor ${detail}`, { errors: [{ pointer: '#/cursor', detail }] });
  }
  return { subject, after: after.length === 0 ? null : after };
}

function parse(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

function fits(subject: WalkPosition['subject'], after: unknown[]): after is (number | string)[] {
  if (after.length === 0) return true;
  if (subject === 'document_numbers') {
    const [schoolId, kind, series, position] = after;
    return after.length === 4 && isId(schoolId) && isText(kind) && isText(series) && isId(position);
  }
  if (subject === 'idempotency_keys') return after.length === 2 && after.every(isText);
  return after.length === (subject === 'allocations' ? 2 : 1) && after.every(isId);
}

function isId(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && !/[\0\ud800-\udfff]/u.test(value);
}
