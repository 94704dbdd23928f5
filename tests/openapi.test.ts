import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import type { RouteOptions } from 'fastify';
import { describe, expect, test } from 'vitest';
import {
  type Answer,
  type OpenApiDocument,
  type Operation,
  openApiDocument,
  type Schema,
  withServer,
} from '../scripts/openapi-document.ts';
import { namesOf } from '../scripts/openapi-names.ts';
import { dereferenced } from '../scripts/openapi-references.ts';
import { PROBLEMS } from '../src/api/edge/problems.ts';
import { compileValidator, OWN_KEYWORDS } from '../src/api/edge/validation.ts';
import { SEED } from '../src/cli/commands/seed/seed-data.ts';
import { SCOPES } from '../src/domain/access/scopes.ts';

/** Of an invoice or of totals, as decimal text; an invoice's status beside them. */
type Amounts = Readonly<Record<string, string>>;
type Named = Readonly<{ method: string; path: string; operation: Operation }>;

/** Addresses for people, not for programs that are written against the document, and the document itself. */
const LEFT_OUT = /^\/(docs(\/.*)?|openapi\.json|api\/v1\/oidc\/\w+)?$/;
/** What a client downloads before its first line, for each operation there is: the API's own share of a page's patience. */
const SIZE_MAX_BYTES_EACH = 4_000;
const NEEDS_KEY = [{ apiKey: [] }];
/** Reads that need the key whatever READ_ACCESS says. */
const GUARDED =
  /^(\/api\/v1\/(reconciliation|me|audit|api-keys.*|users(\/\{id\})?|students\/\{id\}\/personal-data)|\/metrics)$/;
/** Answers that hold a secret, which is kept nowhere: so nothing repeats them. */
const SECRET = /\/(session|invitation)$/;
/** What is asked with a POST and leaves nothing that a repeat would make twice. */
const MAKES_NOTHING = /\/(billing-runs\/(preview|\{id\}\/void)|imports\/\w+)$/;
/** Formats that a schema is bounded by: each has a longest text. */
const BOUNDED_FORMATS = new Set(['date', 'date-time', 'date-or-date-time', 'country', 'currency']);

const written = await openApiDocument();
/** Every reference replaced by what it refers to: a reference to nothing throws here. */
const document = dereferenced(written);
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]): Named => ({ method: method.toUpperCase(), path, operation })),
);
const named = operations.map((one): [string, Named] => [`${one.method} ${one.path}`, one]);

test('it is a valid OpenAPI 3.1 document', async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(copyOf(written));
  expect({ valid, errors, version: validator.version }).toEqual({ valid: true, errors: undefined, version: '3.1' });
});

test('every route is in it, save the pages for people', async () => {
  const routes = await withServer((_app, all) => [...all]);
  const [hidden, shown] = [routes.filter(isHidden), routes.filter((route) => !isHidden(route))];
  const shownUrls = new Set(shown.map(({ url }) => url));
  const hiddenUrls = hidden.map(({ url }) => url).filter((url) => !LEFT_OUT.test(url));

  expect(new Set(shown.flatMap(toNames))).toEqual(new Set(named.map(([name]) => name)));
  // At each address one hidden route refuses the methods it does not take; a second one would be a secret.
  expect(hiddenUrls.filter((url, index) => !shownUrls.has(url) || hiddenUrls.indexOf(url) !== index)).toEqual([]);
});

test('every operation has an id of its own', () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
});

test('what it names never vanishes, and no answer loses a field', () => {
  const file = new URL('openapi-names.txt', import.meta.url);
  const promised = readFileSync(file, 'utf8').trimEnd().split('\n');
  const names = namesOf(written);
  expect(promised.filter((name) => !names.has(name))).toEqual([]);
  // What is new is promised from now on: npm run openapi adds it.
  expect([...names].filter((name) => !promised.includes(name))).toEqual([]);
});

test(`it is at most ${SIZE_MAX_BYTES_EACH} bytes for each operation`, async () => {
  const served = await withServer(async (app) => await app.inject('/openapi.json'));
  expect(served.rawPayload.length).toBeLessThanOrEqual(SIZE_MAX_BYTES_EACH * operations.length);
});

test('its patterns mean the same to every engine, and no keyword is one of our validator only', () => {
  const patterns: string[] = [];
  const own: string[] = [];
  JSON.stringify(written, (key, value: unknown) => {
    if (key === 'pattern' && typeof value === 'string') patterns.push(value);
    if (OWN_KEYWORDS.has(key)) own.push(key);
    return value;
  });
  expect(patterns.length).toBeGreaterThan(10);
  // Letters, classes, counts and groups; no escapes but of the full stop, nothing that begins with (?.
  expect(patterns.filter((one) => !/^\^([\w.[\]{},|+*?()^-]|\\\.)*\$$/.test(one) || one.includes('(?'))).toEqual([]);
  expect(own).toEqual([]);
});

test('with READ_ACCESS=key, every operation but health and problems asks for the key', async () => {
  const closed = await openApiDocument({ READ_ACCESS: 'key', API_KEY: 'x'.repeat(40) });
  const open = Object.entries(closed.paths).flatMap(([path, item]) =>
    Object.values(item).flatMap(({ security, 'x-problem-codes': codes = [] }) => {
      const asks = JSON.stringify(security) === JSON.stringify(NEEDS_KEY);
      expect(codes.includes('api_key_missing') && codes.includes('api_key_invalid'), path).toBe(asks);
      return asks ? [] : [path];
    }),
  );
  expect(open.filter((path) => !/\/(session|invitations\/\{token\}|oidc\/\w+)$/.test(path))).toEqual([
    '/health',
    '/health/ready',
    '/problems/{code}',
  ]);
});

describe.each(named)('%s', (_name, { method, path, operation }) => {
  test('says what it does and who may', () => {
    const { operationId, summary, description, tags, security, 'x-problem-codes': codes = [] } = operation;
    expect(operationId).toMatch(/^[a-z][A-Za-z]+$/);
    expect(summary).toMatch(/^[A-Z].*[^.]$/);
    expect(description).toMatch(/^[A-Z].*[.]$/);
    expect(document.tags.map(({ name }) => name)).toEqual(expect.arrayContaining([...(tags ?? ['none'])]));
    const scope = operation['x-scope'];
    const needsKey = scope !== 'open' && (method !== 'GET' || GUARDED.test(path));
    expect(security).toEqual(needsKey ? NEEDS_KEY : []);
    expect(codes.includes('api_key_missing')).toBe(needsKey);
    expect([...SCOPES, 'principal', 'root', 'open']).toContain(scope);
    expect(codes.includes('api_key_invalid'), 'refuses a key that is not enough').toBe(scope !== 'open');
    if (SCOPES.some((one) => one === scope)) expect(description).toContain(`Scope: \`${scope}\``);
  });

  test('takes and gives what has a name', () => {
    const { requestBody, responses } = written.paths[path]?.[method.toLowerCase()] ?? operation;
    const contents = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)];
    const schemas = contents.flatMap((content): Schema[] => {
      const { schema } = content?.['application/json'] ?? {};
      return schema === undefined ? [] : [schema];
    });
    const isNamed = (schema: unknown): boolean => Object.hasOwn(Object(schema), '$ref');
    const nameless = schemas.filter((schema) => !isNamed(schema) && !isNamed(schema['items']) && !isNothing(schema));
    expect(nameless).toEqual([]);
  });

  test('has an answer for what goes well, and for what can go wrong with such a request', () => {
    const statuses = Object.keys(operation.responses);
    // With dry_run something is only tried, which is 200.
    const isTried =
      operation.parameters?.some((parameter) => 'name' in parameter && parameter.name === 'dry_run') === true;
    expect(statuses.filter((status) => /^2/.test(status))).toHaveLength(isTried && !MAKES_NOTHING.test(path) ? 2 : 1);
    const expected: string[] = [];
    if (path.startsWith('/api/')) expected.push('422', '429', '500', '503');
    if (path.includes('{')) expected.push('404');
    // A write reads what comes along, whether or not it has a use for it.
    if (method !== 'GET') expected.push('413', '415', '422');
    expect(statuses).toEqual(expect.arrayContaining(expected));
    const promised = (operation['x-problem-codes'] ?? []).map((code) => String(problemOf(code)?.status));
    expect(new Set(promised)).toEqual(new Set(statuses.filter((status) => Number(status) >= 400)));
  });

  test('answers every error with a problem document of that status', () => {
    for (const [status, answer] of errorsOf(operation)) {
      const { 'application/problem+json': problem, ...others } = answer.content ?? {};
      expect(others, status).toEqual({});
      expect(problem?.schema, status).toEqual(document.components.schemas['Problem']);
      expect(Object.keys(problem?.examples ?? {}).length, status).toBeGreaterThan(0);
      for (const [code, { value }] of Object.entries(problem?.examples ?? {})) {
        expect(problemOf(code), code).toEqual({ code, status: Number(status) });
        expect(value).toMatchObject({ code, status: Number(status), type: `/problems/${code}` });
        expect(refusalOf(document.components.schemas['Problem'] ?? {}, value), code).toBeUndefined();
      }
    }
  });

  test('has no example that a page would send by itself', () => {
    const optional = (operation.parameters ?? []).filter(({ required }) => required !== true);
    const filled = optional.filter((one) => 'example' in one || 'examples' in one || 'examples' in one.schema);
    expect(filled.map(({ name }) => name)).toEqual([]);
  });

  test('bounds every path and query parameter', () => {
    const parameters = (operation.parameters ?? []).filter((one) => one.in === 'path' || one.in === 'query');
    expect(parameters.filter(({ schema }) => !isBounded(schema)).map(({ name }) => name)).toEqual([]);
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    expect(parameters.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(inPath);
  });

  test('gives examples that its own schemas accept', () => {
    for (const { name, schema, example } of operation.parameters ?? []) {
      if (example !== undefined) expect(refusalOf(schema, example), name).toBeUndefined();
    }
    for (const schema of schemasOf(operation)) expect(wrongExamples(schema)).toEqual([]);
  });

  test('names the headers that its answers have', () => {
    const headersOf = (status: string): string[] => Object.keys(operation.responses[status]?.headers ?? {});
    for (const [status] of errorsOf(operation)) {
      const expected = status === '401' ? ['WWW-Authenticate'] : /429|503/.test(status) ? ['Retry-After'] : [];
      expect(headersOf(status), status).toEqual(expected);
    }
    const isConditional = method === 'GET' && /\/(\{id\}|statement|ledger)$/.test(path);
    expect(headersOf('200').includes('ETag')).toBe(isConditional);
    expect(headersOf('304')).toEqual(isConditional ? ['ETag'] : []);
    const isRepeatable = method === 'POST' && !SECRET.test(path) && !MAKES_NOTHING.test(path);
    const made = '202' in operation.responses ? '202' : '201';
    expect(headersOf(made)).toEqual(expect.arrayContaining(isRepeatable ? ['Location', 'Idempotency-Hit'] : []));
    expect(headersOf(made).includes('Idempotency-Hit')).toBe(isRepeatable);
  });

  test('names the type of every header it answers with', () => {
    const headers = Object.values(operation.responses).flatMap((answer) => Object.entries(answer.headers ?? {}));
    expect(headers.filter(([, { schema }]) => typeof schema['type'] !== 'string')).toEqual([]);
  });
});

test('a list takes 100 rows when it is not told how many, and need not be told', () => {
  const limits = operations.flatMap(({ path, operation }) =>
    (operation.parameters ?? []).filter(({ name }) => name === 'limit').map((one) => ({ path, ...one })),
  );
  const lists = limits.filter(({ path }) => !/\/(statement|reconciliation)$/.test(path));
  expect(lists.length).toBeGreaterThan(7);
  expect(lists.filter(({ schema, required }) => schema['default'] !== 100 || required === true)).toEqual([]);
});

test('what the examples would make is not there already when the sample data is', () => {
  const [school, student] = ['SchoolCreate', 'StudentCreate'].map((name) =>
    exampleOf<Record<string, string>>(document.components.schemas[name] ?? {}),
  );
  expect(SEED.map(({ name }) => name)).not.toContain(school?.['name']);
  expect(SEED.flatMap(({ students }) => students.map(({ email }) => email))).not.toContain(student?.['email']);
  expect([school?.['name'], student?.['email']]).toEqual([expect.any(String), expect.any(String)]);
});

test('the examples of an invoice and of a statement add up', () => {
  const invoice: Amounts = exampleOf(answerSchema('/api/v1/invoices/{id}', 'get'));
  const statement: { totals: Amounts; invoices: Amounts[] } = exampleOf(
    answerSchema('/api/v1/students/{id}/statement', 'get'),
  );
  const { invoiced: amount_total = '', ...totals } = statement.totals;
  for (const amounts of [invoice, ...statement.invoices, { ...totals, amount_total }]) {
    const left = minor(amounts['amount_total']) - minor(amounts['credited']) - minor(amounts['paid']);
    expect(left).toBe(minor(amounts['pending']));
  }
  expect([invoice, ...statement.invoices].map(({ status }) => status)).toEqual(['PARTIAL', 'PARTIAL']);
});

/** The body of what takes nothing. */
function isNothing(schema: Schema): boolean {
  return JSON.stringify(schema['type']) === '["object","null"]' && schema['additionalProperties'] === false;
}

function isHidden({ schema }: RouteOptions): boolean {
  return schema?.hide === true;
}

/** `GET /api/v1/schools/{id}`, as the document would name it. HEAD goes without saying where there is GET. */
function toNames({ method, url }: RouteOptions): string[] {
  const path = url.replaceAll(/:(\w+)/g, '{$1}');
  return [method].flat().flatMap((one) => (one === 'HEAD' ? [] : [`${one} ${path}`]));
}

function errorsOf({ responses }: Operation): [string, Answer][] {
  return Object.entries(responses).filter(([status]) => Number(status) >= 400);
}

function problemOf(code: string): { code: string; status: number } | undefined {
  const entry = Object.entries(PROBLEMS).find(([name]) => name === code);
  return entry && { code, status: entry[1].status };
}

function isBounded(schema: Schema): boolean {
  const { type, minimum, maximum, maxLength, format, pattern } = schema;
  if (type === 'boolean' || Array.isArray(schema['enum'])) return true;
  if (type === 'integer') return typeof minimum === 'number' && typeof maximum === 'number';
  const isShort = typeof pattern === 'string' && /^\^\[[^\]]+\]\{\d+(,\d+)?\}\$$/.test(pattern);
  return typeof maxLength === 'number' || BOUNDED_FORMATS.has(String(format)) || isShort;
}

/** Bodies, and answers in JSON. */
function schemasOf({ requestBody, responses }: Operation): Schema[] {
  const contents = [requestBody?.content, ...Object.values(responses).map(({ content }) => content)];
  return contents.flatMap((content) => Object.entries(content ?? {}).map(([, { schema }]) => schema));
}

/** By their texts: that of problems is asked for thousands of examples, and stands in every operation as a copy of its own. */
const validators = new Map<string, ReturnType<typeof compileValidator>>();

/** What is wrong with a value, by the validator that requests go through; undefined when nothing is. */
function refusalOf(schema: Schema, value: unknown): unknown {
  const text = JSON.stringify(schema);
  const validate = validators.get(text) ?? compileValidator({ schema, method: 'POST', url: '/', httpPart: 'body' });
  validators.set(text, validate);
  const result: unknown = validate(value);
  return typeof result === 'object' && result !== null && 'error' in result ? result.error : undefined;
}

function wrongExamples(schema: Schema): unknown[] {
  const examples = Array.isArray(schema['examples']) ? schema['examples'] : [];
  const wrong = examples.filter((example) => refusalOf(schema, example) !== undefined);
  return [...wrong, ...Object.values(partsOf(schema)).flatMap(wrongExamples)];
}

function partsOf(schema: Schema): Record<string, Schema> {
  const properties: Record<string, Schema> = Object(schema['properties']);
  const items = schema['items'];
  return { ...properties, ...(typeof items === 'object' && items !== null ? { items: { ...items } } : {}) };
}

function answerSchema(path: string, method: string): Schema {
  const answer = document.paths[path]?.[method]?.responses['200'];
  return answer?.content?.['application/json']?.schema ?? {};
}

/** The value that a schema's examples put together, of the form that the schema says. */
function exampleOf<T>(schema: Schema): T {
  return JSON.parse(JSON.stringify(compose(schema)));
}

function compose(schema: Schema): unknown {
  const parts = Object.entries(partsOf(schema));
  if (schema['type'] === 'object') return Object.fromEntries(parts.map(([name, part]) => [name, compose(part)]));
  if (schema['type'] === 'array') return parts.map(([, part]) => compose(part));
  return Array.isArray(schema['examples']) ? schema['examples'][0] : undefined;
}

function minor(amount = ''): bigint {
  return BigInt(amount.replace('.', ''));
}

function copyOf(value: OpenApiDocument): Record<string, unknown> {
  return JSON.parse(JSON.stringify(value));
}
