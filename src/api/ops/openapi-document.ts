import { readFileSync } from 'node:fs';
import type { SwaggerOptions } from '@fastify/swagger';
import { PROBLEMS, type ProblemCode } from '../edge/problems.ts';
import { OWN_KEYWORDS } from '../edge/validation.ts';
import { KEY_CODES, NEEDS_KEY } from '../openapi.ts';
import { ProblemSchema } from '../schemas/problem.ts';
import { PROBLEM_PAGES } from './problem-pages.ts';

type Json = Record<string, unknown>;
/** Named schemas by name, as the document shows them. */
type Named = Map<string, Json>;

/** What a status is called where operations refer to its answer. These names never change: clients are made from them. */
const ANSWER_NAMES: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  406: 'NotAcceptable',
  409: 'Conflict',
  413: 'BodyTooLarge',
  415: 'UnsupportedMediaType',
  422: 'UnprocessableContent',
  429: 'TooManyRequests',
  500: 'InternalServerError',
  503: 'ServiceUnavailable',
};

/** Parameters that many operations have, and what they are called there. */
const SHARED_PARAMETERS: Readonly<Record<string, string>> = {
  id: 'Id',
  limit: 'Limit',
  offset: 'Offset',
  cursor: 'Cursor',
  count: 'Count',
  'Idempotency-Key': 'IdempotencyKey',
};
/** Of operations that answer with files too: a program that sets them gets another body than the one described. */
const FILE_PARAMETERS: ReadonlySet<unknown> = new Set(['format', 'lang', 'delimiter', 'decimal']);

const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds to wait before trying again.', schema: { type: 'integer' } },
};
/** Headers that every problem of a status has. */
const ANSWER_HEADERS: Readonly<Partial<Record<number, object>>> = {
  401: { 'WWW-Authenticate': { description: 'Always `ApiKey`.', schema: { type: 'string' } } },
  429: RETRY_AFTER,
  503: RETRY_AFTER,
};

const TAGS = {
  schools: 'Who bills: name, country, currency, time zone, and the prefixes of document numbers.',
  students: 'Who is billed. A student belongs to one school.',
  families: 'Who owes and who pays, and their guardians: whom to call.',
  invoices: 'What is owed. An invoice is never deleted: it is voided.',
  'credit notes':
    'What lowers an invoice without changing what was billed. A credit note is taken back by its reversal.',
  payments: 'What came in. A payment is never changed: it is reversed, and recorded anew.',
  statements: 'Accounts of a student or a school: what is open now, and every movement with its balance.',
  closings: 'Days of the books that are closed: nothing is booked on them any more, and their figures stay.',
  users: 'People who may sign in, and their role in each school.',
  privacy: 'What is stored of somebody, and how it is taken away.',
  session: 'Signing in and out, in a browser: the session is a cookie.',
  reports: 'Who owes how much for how long, and what a school billed and collected.',
  periods: 'Years and terms of a school, in which students are enrolled.',
  concepts: 'What invoices are for, such as tuition, and its tax.',
  plans: 'What is billed for a concept in a period, item by item.',
  discounts: 'Scholarships and discounts, which enrolments carry.',
  enrolments: 'Students in a period, with their plans and discounts.',
  'late fee policies': 'What is charged for paying late.',
  'billing runs':
    'All that is to be billed at a school, or added for paying late, at once: shown, done, and taken back.',
  access: 'Who asks, and the keys they ask with: each has its own schools and scopes.',
  imports: 'Files of what a school had elsewhere: students, families, opening balances.',
  service: 'Health, metrics, explanations of problems, and the comparison of stored figures with their rows.',
};

const DESCRIPTION = `Billing for schools: students, invoices, payments and account statements in real time.

**Money** is decimal text with two places, \`"1500.00"\`; answers never hold an amount as a number.
**Errors** are RFC 9457 problem documents: branch on \`code\`; \`x-problem-codes\` lists those of an operation.
**Retries**: a POST with an \`Idempotency-Key\` is done once, however often it is sent. Where an answer has \`Retry-After\`, trying again is worth it.
**Pages**: follow \`Link: <…>; rel="next"\`, which stays as fast on the last page as on the first.
**Files**: answers are JSON. Operations with \`x-files\` also answer as CSV, XLSX or PDF at the same address, with \`?format=csv\`, \`xlsx\` or \`pdf\` or the media type in \`Accept\` (\`&lang=es\` or \`en\` is the language of a PDF; \`&delimiter=;&decimal=,\` how a CSV is written); the bodies and types described here are those of JSON.`;

/**
 * How the generator makes the document of the routes. Schemas with an `$id` become components; error answers are
 * written once and referred to; what means something to our validator only is left out.
 */
export function documentOptions(of: { version: string; readAccess: 'public' | 'key' }): SwaggerOptions {
  const named: Named = new Map();
  return {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Mattilda Billing API',
        version: of.version,
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'The server this document comes from.' }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: {
          apiKey: {
            type: 'apiKey',
            in: 'header',
            name: 'X-API-Key',
            description: 'The key of this server, API_KEY, or one that was made with it.',
          },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      if (schema.hide === true) return { schema, url };
      // A DELETE has the schema of a body to refuse what is in one, not to be sent one.
      const { body, ...withoutBody } = schema;
      const shown = body === undefined || route.method === 'DELETE' ? withoutBody : schema;
      const isClosed = of.readAccess === 'key' && route.config?.scope !== 'open';
      return { schema: asObject(withNames(isClosed ? withKey(shown) : shown, named)), url };
    },
    transformObject: (document) =>
      'openapiObject' in document ? complete(asObject(document.openapiObject), named) : {},
  };
}

/** With READ_ACCESS=key also what is open by default needs the key. */
function withKey(schema: object): object {
  const codes =
    'x-problem-codes' in schema && Array.isArray(schema['x-problem-codes']) ? schema['x-problem-codes'] : [];
  return { ...schema, security: NEEDS_KEY, 'x-problem-codes': [...new Set([...KEY_CODES, ...codes])] };
}

/** A copy in which schemas that have a name are references to it, and keywords of our own are gone. */
function withNames(value: unknown, named: Named): unknown {
  if (Array.isArray(value)) return value.map((one) => withNames(one, named));
  if (typeof value !== 'object' || value === null) return value;
  const { $id: name, ...members } = asObject(value);
  const shown = Object.fromEntries(
    Object.entries(members)
      .filter(([keyword]) => !OWN_KEYWORDS.has(keyword))
      .map(([keyword, member]) => [keyword, withNames(member, named)]),
  );
  if (typeof name !== 'string') return shown;
  const known = named.get(name);
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(shown)) {
    throw new Error(`two schemas are called ${name}`);
  }
  named.set(name, shown);
  return { $ref: `#/components/schemas/${name}` };
}

function complete(document: Json, named: Named): Json {
  const operations = Object.values(asObject(document['paths'])).flatMap((item) => Object.values(asObject(item)));
  const all = operations.map(asObject);
  const codesByStatus = byStatus(all.flatMap(codesOf));
  for (const operation of all) completeOperation(operation, codesByStatus);
  const parameters = shareParameters(all);
  withNames(ProblemSchema, named);
  return {
    ...document,
    components: {
      ...asObject(document['components']),
      schemas: Object.fromEntries([...named].sort(([a], [b]) => (a < b ? -1 : 1))),
      parameters,
      responses: Object.fromEntries([...codesByStatus].map(([status, codes]) => problemAnswer(status, codes))),
    },
  };
}

function codesOf(operation: Json): ProblemCode[] {
  return [operation['x-problem-codes'] ?? []].flat().filter(isProblemCode);
}

/** In order of status, each code once. */
function byStatus(codes: readonly ProblemCode[]): Map<number, ProblemCode[]> {
  const found = new Map<number, ProblemCode[]>();
  for (const code of new Set(codes))
    found.set(PROBLEMS[code].status, [...(found.get(PROBLEMS[code].status) ?? []), code]);
  return new Map([...found].sort(([a], [b]) => a - b));
}

function completeOperation(operation: Json, codesByStatus: ReadonlyMap<number, readonly ProblemCode[]>): void {
  const responses = asObject(operation['responses']);
  for (const [status, codes] of byStatus(codesOf(operation))) {
    const isAll = codes.length === codesByStatus.get(status)?.length;
    responses[status] = {
      $ref: `#/components/responses/${answerName(status)}`,
      ...(isAll ? {} : { description: describe(codes) }),
    };
  }
  operation['parameters'] = parametersOf(operation)
    .filter(({ name }) => operation['x-files'] === undefined || !FILE_PARAMETERS.has(name))
    .map(toParameter);
  // The generator calls every body required; one whose schema allows null may be left out.
  const body = operation['requestBody'];
  if (/"type":\["object","null"\]/.test(JSON.stringify(body ?? null))) asObject(body)['required'] = false;
}

function parametersOf(operation: Json): Json[] {
  return [operation['parameters'] ?? []].flat().map(asObject);
}

/** Without an example: pages that let people try a request fill it in, and send it though nobody asked for it. */
function toParameter({ name, in: where, description, required, schema }: Json): Json {
  const text = description === undefined ? {} : { description };
  return { name, in: where, ...text, ...(required === true ? { required } : {}), schema };
}

/** Writes the parameters that many operations share once: of each name the form that most of them have. */
function shareParameters(operations: readonly Json[]): Json {
  const shared = Object.entries(SHARED_PARAMETERS).map(([name, component]): [string, string] => {
    const uses = new Map<string, number>();
    for (const one of operations.flatMap(parametersOf).filter((parameter) => parameter['name'] === name)) {
      const text = JSON.stringify(one);
      uses.set(text, (uses.get(text) ?? 0) + 1);
    }
    const [[text = ''] = []] = [...uses].sort(([, a], [, b]) => b - a);
    return [component, text];
  });
  for (const operation of operations) {
    operation['parameters'] = parametersOf(operation).map((one) => {
      const [component] = shared.find(([, text]) => text === JSON.stringify(one)) ?? [];
      return component === undefined ? one : { $ref: `#/components/parameters/${component}` };
    });
  }
  return Object.fromEntries(shared.map(([component, text]) => [component, JSON.parse(text)]));
}

function describe(codes: readonly ProblemCode[]): string {
  return codes.map((code) => `\`${code}\`: ${PROBLEMS[code].title}.`).join(' ');
}
/** The answer of a status, with a true example of each code: that of the code's page. */
function problemAnswer(status: number, codes: readonly ProblemCode[]): [name: string, answer: Json] {
  const headers = ANSWER_HEADERS[status];
  const examples = codes.toSorted().map((code) => [code, { summary: PROBLEMS[code].title, value: exampleOf(code) }]);
  return [
    answerName(status),
    {
      description: describe(codes),
      ...(headers === undefined ? {} : { headers }),
      content: {
        'application/problem+json': {
          schema: { $ref: '#/components/schemas/Problem' },
          examples: Object.fromEntries(examples),
        },
      },
    },
  ];
}

/** @throws Error for a status without a name: give it one above */
function answerName(status: number): string {
  const name = ANSWER_NAMES[status];
  if (name === undefined) throw new Error(`the answer of status ${status} has no name`);
  return name;
}

function exampleOf(code: ProblemCode): unknown {
  const page = readFileSync(new URL(`${code}.md`, PROBLEM_PAGES), 'utf8');
  const [, afterFence = ''] = page.split('```json\n', 2);
  const [example = ''] = afterFence.split('\n```', 1);
  return JSON.parse(example === '' ? 'null' : example);
}

function isProblemCode(code: unknown): code is ProblemCode {
  return typeof code === 'string' && Object.hasOwn(PROBLEMS, code);
}

/** The driver edge of the generator, whose types say less than its documents. */
function asObject(value: unknown): Json {
  return value as Json;
}
