import { type TSchema, Type } from 'typebox';
import { isScope } from '../domain/access/scopes.ts';
import type { Access } from './edge/authorization.ts';
import type { ProblemCode } from './edge/problems.ts';
import type { PersonalData } from './personal-data.ts';
import { type Format, MEDIA_TYPES } from './responses/content-negotiation.ts';

/** Refused by HTTP before any rule: on every route, on those that need a key, on those that read what is sent. */
const ALWAYS: readonly ProblemCode[] = [
  'request_invalid',
  'rate_limited',
  'overloaded',
  'database_unavailable',
  'database_busy',
  'database_full',
  'internal_error',
];
/** How a request without a right key, or with the cookie of a session that is over, is refused. */
export const KEY_CODES: readonly ProblemCode[] = ['api_key_missing', 'api_key_invalid', 'session_over'];
const WITH_WRITE: readonly ProblemCode[] = [...KEY_CODES, 'origin_refused', 'outcome_unknown'];
const WITH_BODY: readonly ProblemCode[] = ['json_invalid', 'body_too_large', 'media_type_unsupported'];
const WITH_IDEMPOTENCY: readonly ProblemCode[] = [
  'idempotency_key_reused',
  'idempotency_in_flight',
  'idempotency_answer_erased',
];

export type Security = { [scheme: string]: string[] }[];
/** Of what needs a key. */
export const NEEDS_KEY: Security = [{ apiKey: [] }];
/** Of what does not: what is not needed is not asked for either. */
const OPEN: Security = [];

type Operation = Readonly<{
  tag: string;
  id: string;
  summary: string;
  /** What the summary and the sentences that go without saying, such as those about pages and files, leave open. */
  description?: string;
  /** What is needed to use it. */
  scope: Access;
  needsAllSchools?: boolean;
  /** A family's link may use it. */
  isForLinks?: boolean;
  /** Files of it are exports of personal data. */
  personalData?: PersonalData<never> | undefined;
  /** Codes of the business this route can refuse with. */
  refusals?: readonly ProblemCode[];
  success: Readonly<{
    status: number;
    /** Of an answer in JSON. */
    schema?: TSchema;
    /** Of an answer in something else, by media type. */
    content?: Readonly<Record<string, { schema: TSchema }>>;
    description: string;
    headers?: object;
  }>;
  /** The answer with status 200 to who only wants to know what it would be. */
  preview?: Readonly<{ schema: TSchema; description: string }>;
  /** Forms the answer can have, JSON first. Absent: JSON, whatever `Accept` says. */
  formats?: readonly Format[];
  /** Whether the answer has an ETag, and is 304 to who knows that already: see etag.ts. */
  isConditional?: boolean;
}>;

/** Documents a GET: open by default, behind a key with READ_ACCESS=key. */
export function readDocs(operation: Operation) {
  const keys: readonly ProblemCode[] = operation.scope === 'open' ? [] : ['api_key_invalid', 'session_over'];
  return docs(operation, [...keys, ...ALWAYS, ...negotiation(operation), ...(operation.refusals ?? [])], OPEN);
}

/** Documents a GET that needs a key whatever READ_ACCESS says. */
export function guardedReadDocs(operation: Operation) {
  return docs(
    operation,
    [...KEY_CODES, ...ALWAYS, ...negotiation(operation), ...(operation.refusals ?? [])],
    NEEDS_KEY,
  );
}

function negotiation({ formats }: Operation): readonly ProblemCode[] {
  return formats === undefined ? [] : ['not_acceptable'];
}

/** Documents what is no part of the API itself and has no refusals but its own, such as /health. */
export function serviceDocs(operation: Operation, security: Security = OPEN) {
  return docs(operation, operation.refusals ?? [], security);
}

/** Documents a write, which needs a key. One that takes no body still refuses one that cannot be read. */
export function writeDocs(operation: Operation) {
  return docs(operation, [...WITH_WRITE, ...WITH_BODY, ...ALWAYS, ...(operation.refusals ?? [])], NEEDS_KEY);
}

/** Documents a read that nobody needs a key for, whatever READ_ACCESS says. */
export function openReadDocs(operation: Operation) {
  return docs(operation, [...ALWAYS, ...(operation.refusals ?? [])], OPEN);
}

/** Documents a write that nobody needs a key for, because it is how somebody says who they are. */
export function openWriteDocs(operation: Operation) {
  return docs(operation, ['outcome_unknown', ...WITH_BODY, ...ALWAYS, ...(operation.refusals ?? [])], OPEN);
}

/** Documents a POST, which may be repeated under an Idempotency-Key. */
export function creationDocs({ success, description, ...more }: Operation) {
  const operation = {
    ...more,
    description: sentences(description, IDEMPOTENT),
    success: { ...success, headers: { ...success.headers, ...CREATION_HEADERS } },
  };
  const codes = [...WITH_WRITE, ...WITH_BODY, ...ALWAYS, ...WITH_IDEMPOTENCY, ...(operation.refusals ?? [])];
  return { ...docs(operation, codes, NEEDS_KEY), headers: CREATION_REQUEST_HEADERS };
}

/** Documents a POST that makes nothing with an address of its own, and may be repeated under an Idempotency-Key. */
export function actionDocs({ success, description, ...more }: Operation) {
  const { Location: _, ...headers } = CREATION_HEADERS;
  const operation = {
    ...more,
    description: sentences(description, IDEMPOTENT),
    success: { ...success, headers: { ...success.headers, ...headers } },
  };
  const codes = [...WITH_WRITE, ...WITH_BODY, ...ALWAYS, ...WITH_IDEMPOTENCY, ...(operation.refusals ?? [])];
  return { ...docs(operation, codes, NEEDS_KEY), headers: CREATION_REQUEST_HEADERS };
}

function docs(
  {
    tag,
    id,
    summary,
    description,
    scope,
    needsAllSchools,
    isForLinks = false,
    personalData,
    success,
    preview,
    formats = [],
    isConditional = false,
  }: Operation,
  codes: readonly ProblemCode[],
  security: Security,
) {
  const { headers: own, schema } = success;
  const content = schema === undefined ? success.content : { 'application/json': { schema } };
  const headers = { ...own, ...(isConditional ? CONDITIONAL_HEADERS : {}) };
  const files = formats.filter((format) => format !== 'json');
  return {
    tags: [tag],
    operationId: id,
    summary,
    description: sentences(
      description,
      own === LIST_HEADERS ? PAGED : '',
      files.length === 0 ? '' : filesSentence(files),
      personalData === undefined ? '' : exportSentence(personalData),
      isConditional ? CONDITIONAL : '',
      scopeSentence(scope, needsAllSchools),
      isForLinks ? FOR_LINKS : '',
    ),
    security,
    response: {
      [success.status]: {
        description: success.description,
        ...(Object.keys(headers).length === 0 ? {} : { headers }),
        ...(content === undefined ? { type: 'null' } : { content }),
      },
      ...(preview === undefined
        ? {}
        : {
            200: { description: preview.description, content: { 'application/json': { schema: preview.schema } } },
          }),
      ...(isConditional ? { 304: NOT_MODIFIED } : {}),
    },
    'x-scope': scope,
    ...(needsAllSchools === true ? { 'x-all-schools': true } : {}),
    ...(isForLinks ? { 'x-family-links': true } : {}),
    // Turned into the answers of these codes where the document is put together: see ops/openapi-document.ts.
    'x-problem-codes': [
      ...new Set([...codes, ...(isScope(scope) || scope === 'root' ? (['scope_missing'] as const) : [])]),
    ],
    ...(files.length === 0 ? {} : { 'x-files': Object.fromEntries(files.map((format) => [format, FILES[format]])) }),
  };
}

function sentences(...texts: readonly (string | undefined)[]): string {
  return texts.filter((text) => text !== undefined && text !== '').join(' ');
}

function scopeSentence(scope: Access, needsAllSchools = false): string {
  if (scope === 'root') return 'For the key of the environment alone.';
  if (!isScope(scope)) return '';
  return `Scope: \`${scope}\`${needsAllSchools ? ' for all schools' : ''}.`;
}

/** @param of.isOneAccount is never so where it is absent */
function exportSentence({ forms, isOneAccount }: PersonalData<never>): string {
  const which = forms === undefined ? 'a file' : `a ${forms.map((form) => form.toUpperCase()).join(' or ')}`;
  const unless = isOneAccount === undefined ? '' : ', unless it is of one student, family or invoice,';
  return `Who is given ${which}${unless} is kept in the audit log, as \`personal_data_exported\`.`;
}

const FOR_LINKS = "A family's link reads what is the family's.";
const PAGED = 'One page at a time: `Link` names the next one, and is absent on the last.';
const CONDITIONAL = 'With `If-None-Match` and the `ETag` of an earlier answer it is 304 while nothing has changed.';
const IDEMPOTENT = 'Send an `Idempotency-Key` and repeat it as often as it takes: it is done once.';

/** Files have no schema here, and no parameter: a client made from this document would take every answer for text. */
const { json: _, ...FILES } = MEDIA_TYPES;

function filesSentence(files: readonly (keyof typeof FILES)[]): string {
  const forms = files.map((format) => `\`?format=${format}\` or \`Accept: ${FILES[format]}\``);
  const dialect = files.includes('csv')
    ? ' A CSV is written with `&delimiter=` (`,`, `;`, `tab`) and `&decimal=` (`.`, `,`).'
    : '';
  const language = files.includes('pdf')
    ? ' A PDF is in the language of `?lang=es`, `en` or `pt`, or of `Accept-Language`.'
    : '';
  return `Also as a file: ${forms.join('; ')}.${dialect}${language}`;
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
  Location: { description: 'Where what was made is found.', type: 'string' },
  'Idempotency-Hit': {
    description: '`true` on the answer to a repeat under the same `Idempotency-Key`.',
    type: 'string',
  },
};
/** Of what is made where no Idempotency-Key plays a part. */
export const LOCATION_HEADER = { Location: CREATION_HEADERS.Location };
/** No example: pages that send examples by themselves would send the same key twice, which is refused. */
const CREATION_REQUEST_HEADERS = Type.Object({
  'Idempotency-Key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description:
        '1 to 255 visible characters, a new one for every new request, such as a UUID. A repeat of the request under the same key gets the first answer, byte for byte, and writes nothing. Kept for 30 days.',
    }),
  ),
});

/** Headers of a list's answer. */
export const LIST_HEADERS = {
  'X-Total-Count': { description: 'Rows that match the filter, on all pages.', type: 'integer' },
  Link: { description: 'The `next` and `prev` pages, RFC 8288.', type: 'string' },
};
