import { PROBLEMS, type ProblemCode } from './edge/problems.ts';
import type { Format } from './responses/content-negotiation.ts';
import { type TSchema, Type } from './schemas/type.ts';

const ProblemSchema = Type.Object(
  {
    type: Type.String({ description: 'Address of the page that explains this code.' }),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String({ description: 'For people.' }),
    code: Type.String({ description: 'For programs. Never changes its meaning.' }),
    instance: Type.String(),
    request_id: Type.String(),
    errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }))),
  },
  { description: 'RFC 9457 problem document.' },
);

/** Under the name that {@link problemResponses} refers to. */
export const PROBLEM_SCHEMA = { ...ProblemSchema, $id: 'Problem' };

/** Refused by HTTP before any rule: on every route, on those that need the key, on those that read what is sent. */
const ALWAYS: readonly ProblemCode[] = [
  'request_invalid',
  'rate_limited',
  'overloaded',
  'database_unavailable',
  'database_busy',
  'internal_error',
];
const WITH_KEY: readonly ProblemCode[] = ['api_key_missing', 'api_key_invalid', 'outcome_unknown'];
const WITH_BODY: readonly ProblemCode[] = ['json_invalid', 'body_too_large', 'media_type_unsupported'];
const WITH_IDEMPOTENCY: readonly ProblemCode[] = ['idempotency_key_reused', 'idempotency_in_flight'];

const KEY = [{ apiKey: [] }];

type Operation = Readonly<{
  tag: string;
  id: string;
  summary: string;
  description?: string;
  /** Codes of the business this route can refuse with. */
  refusals?: readonly ProblemCode[];
  success: Readonly<{ status: number; schema?: TSchema; description: string; headers?: object }>;
  /** Forms the answer can have, JSON first. Absent: JSON, whatever `Accept` says. */
  formats?: readonly Format[];
  /** Whether the answer has an ETag, and is 304 to who knows that already: see conditional.ts. */
  isConditional?: boolean;
}>;

/** Documents a GET: open by default, behind the key with READ_ACCESS=key. */
export function readDocs(operation: Operation) {
  const negotiation: readonly ProblemCode[] = operation.formats === undefined ? [] : ['not_acceptable'];
  return docs(operation, [...ALWAYS, ...negotiation, ...(operation.refusals ?? [])], [{}, ...KEY]);
}

/** Documents a GET that needs the key whatever READ_ACCESS says. */
export function guardedReadDocs(operation: Operation) {
  return docs(operation, [...WITH_KEY.slice(0, 2), ...ALWAYS, ...(operation.refusals ?? [])], KEY);
}

/** Documents a write, which needs the key. One that takes no body still refuses one that cannot be read. */
export function writeDocs(operation: Operation) {
  return docs(operation, [...WITH_KEY, ...WITH_BODY, ...ALWAYS, ...(operation.refusals ?? [])], KEY);
}

/** Documents a POST, which may be repeated under an Idempotency-Key. */
export function creationDocs({ success, ...more }: Operation) {
  const operation = { ...more, success: { ...success, headers: { ...success.headers, ...CREATION_HEADERS } } };
  return {
    ...docs(operation, [...WITH_KEY, ...WITH_BODY, ...ALWAYS, ...WITH_IDEMPOTENCY, ...(operation.refusals ?? [])], KEY),
    headers: Type.Object({
      'idempotency-key': Type.Optional(
        Type.String({
          description:
            '1 to 255 visible characters. A repeat of the request under the same key gets the first answer, byte for byte, and writes nothing. Kept for 30 days.',
          examples: ['0f8fad5b-d9cb-469f-a165-70867728950e'],
        }),
      ),
    }),
  };
}

function docs(
  { tag, id, summary, description, success, formats = [], isConditional = false }: Operation,
  codes: readonly ProblemCode[],
  security: object[],
) {
  const headers = { ...success.headers, ...(isConditional ? CONDITIONAL_HEADERS : {}) };
  return {
    tags: [tag],
    operationId: id,
    summary,
    ...(description === undefined ? {} : { description }),
    security: security as { [scheme: string]: string[] }[],
    response: {
      [success.status]: {
        description: success.description,
        ...(Object.keys(headers).length === 0 ? {} : { headers }),
        ...(success.schema === undefined
          ? { type: 'null' }
          : { content: { 'application/json': { schema: success.schema }, ...filesOf(formats) } }),
      },
      ...(isConditional ? { 304: NOT_MODIFIED } : {}),
      ...problemResponses(codes),
    },
  };
}

/** Answers that are files: no schema describes their inside, docs/statements.md does. */
function filesOf(formats: readonly Format[]): Record<string, object> {
  return {
    ...(formats.includes('csv') ? { 'text/csv': { schema: { type: 'string' } } } : {}),
    ...(formats.includes('pdf') ? { 'application/pdf': { schema: { type: 'string', format: 'binary' } } } : {}),
  };
}

function problemResponses(codes: readonly ProblemCode[]): Record<number, object> {
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of new Set(codes)) {
    const { status } = PROBLEMS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map((code) => `\`${code}\`: ${PROBLEMS[code].title}`).join('. '),
        ...(PROBLEM_HEADERS[status] === undefined ? {} : { headers: PROBLEM_HEADERS[status] }),
        content: { 'application/problem+json': { schema: Type.Ref('Problem'), examples: examplesOf(list) } },
      },
    ]),
  );
}

function examplesOf(codes: readonly ProblemCode[]): Record<string, object> {
  return Object.fromEntries(
    codes.map((code) => {
      const { status, title } = PROBLEMS[code];
      const more = status === 422 ? { errors: [{ pointer: '#/amount', detail: 'is required' }] } : {};
      const value = {
        type: `/problems/${code}`,
        title,
        status,
        detail: title,
        code,
        instance: '/',
        request_id: 'r-1',
        ...more,
      };
      return [code, { summary: title, value }];
    }),
  );
}

const CONDITIONAL_HEADERS = {
  ETag: { description: 'Names what was sent, where that is JSON. For `If-None-Match`.', type: 'string' },
};
const NOT_MODIFIED = {
  description: '`If-None-Match` names what would be sent.',
  headers: CONDITIONAL_HEADERS,
  type: 'null',
};

const CREATION_HEADERS = {
  'Idempotency-Hit': {
    description: '`true` on the answer to a repeat under the same `Idempotency-Key`.',
    type: 'string',
  },
};

const RETRY_AFTER = { 'Retry-After': { description: 'Seconds to wait before trying again.', type: 'integer' } };

/** Headers that every problem of a status has. */
const PROBLEM_HEADERS: Readonly<Partial<Record<number, object>>> = {
  401: { 'WWW-Authenticate': { description: 'Always `ApiKey`.', type: 'string' } },
  429: RETRY_AFTER,
  503: RETRY_AFTER,
};

/** Headers of a list's answer. */
export const LIST_HEADERS = {
  'X-Total-Count': { description: 'Rows that match the filter, on all pages.', type: 'integer' },
  Link: { description: 'The `next` and `prev` pages, RFC 8288.', type: 'string' },
};
