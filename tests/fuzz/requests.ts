import fc from 'fast-check';

/** A request as it goes over the wire. `raw` bodies are sent as they are. */
export type FuzzedRequest = Readonly<{
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string | undefined;
}>;

type Schema = Readonly<{
  $ref?: string;
  type?: string | readonly string[];
  enum?: readonly unknown[];
  format?: string;
  properties?: Readonly<Record<string, Schema>>;
  required?: readonly string[];
  items?: Schema;
  anyOf?: readonly Schema[];
  minimum?: number;
  maximum?: number;
  pattern?: string;
  examples?: readonly unknown[];
}>;
type Parameter = Readonly<{
  $ref?: string;
  name: string;
  in: 'path' | 'query' | 'header';
  schema?: Schema;
  required?: boolean;
}>;
type Operation = Readonly<{
  parameters?: readonly Parameter[];
  'x-files'?: Readonly<Record<string, string>>;
  requestBody?: { content?: Readonly<Record<string, { schema?: Schema }>> };
}>;
export type OpenApi = Readonly<{ paths: Readonly<Record<string, Readonly<Record<string, Operation>>>> }>;

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
const ODD_METHODS = ['PROPFIND', 'PURGE', 'MKCOL', 'LOCK', 'SEARCH', 'REPORT', 'QUERY'];

/** Text that has broken some program somewhere. */
const ODD_TEXT = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\u0000',
    'a\u0000b',
    'null',
    'undefined',
    'NaN',
    'Infinity',
    '-0',
    '1e400',
    '1e2',
    '0x10',
    '٣',
    '\ud800',
    '\udfff\ud800',
    '\uffff',
    '\u202e',
    '🏫'.repeat(200),
    'ñ'.repeat(300),
    "'; drop table payments; --",
    '$1',
    '%',
    '%_\\',
    '{{7*7}}',
    '../../etc/passwd',
    '__proto__',
    'constructor',
    '2024-02-30',
    'infinity',
    '0000-01-01',
    '9999-12-31T23:59:59-23:59',
    '294277-01-01T00:00:00Z',
    'x'.repeat(70_000),
  ),
  fc.string({ maxLength: 40, unit: 'binary' }),
  fc.string({ maxLength: 600, unit: 'grapheme' }),
);
const ODD_NUMBER = fc.oneof(
  fc.constantFrom(
    0,
    -0,
    -1,
    1.5,
    0.001,
    1e21,
    1e308,
    -1e308,
    5e-324,
    2 ** 31,
    2 ** 53,
    2 ** 63,
    Number.POSITIVE_INFINITY,
  ),
  fc.double(),
  fc.integer(),
);
const ODD_VALUE: fc.Arbitrary<unknown> = fc.oneof(
  ODD_TEXT,
  ODD_NUMBER,
  fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [null], { toString: 1 }, { length: 2 }),
  fc.jsonValue({ maxDepth: 4 }),
);
/** Ids that exist (the test makes the first ten of each), that do not, and that cannot be ids. */
const ID = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 12 }).map(String) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('0', '-1', '1.5', 'abc', '007', '1e3', '9007199254740993', '9223372036854775808', '%00'),
  },
  { weight: 1, arbitrary: ODD_TEXT.map((text) => encodeURIComponent(wellFormed(text))) },
);

/** Requests for every route of the document: as it asks for them, and spoilt in one or more places. */
export function requestsOf(document: OpenApi, apiKey: string): fc.Arbitrary<FuzzedRequest> {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => requestOf(document, { path, method, operation, apiKey })),
  );
  return fc.oneof(...operations);
}

function requestOf(
  document: OpenApi,
  of: { path: string; method: string; operation: Operation; apiKey: string },
): fc.Arbitrary<FuzzedRequest> {
  const parameters = [...(of.operation.parameters ?? []), ...filesOf(of.operation)].map((one) =>
    resolve(document, one),
  );
  const schema = of.operation.requestBody?.content?.['application/json']?.schema;
  return fc.record({
    method: fc.oneof(
      { weight: 20, arbitrary: fc.constant(of.method.toUpperCase()) },
      { weight: 1, arbitrary: fc.constantFrom(...METHODS, ...ODD_METHODS) },
    ),
    path: fc.tuple(pathOf(of.path), queryOf(document, parameters)).map(([path, query]) => `${path}${query}`),
    headers: headersOf(of.apiKey),
    body: bodyOf(document, schema),
  });
}

/** The parameters of files, which the document tells of by convention. */
function filesOf({ 'x-files': files }: Operation): Parameter[] {
  if (files === undefined) return [];
  const choices = {
    format: ['json', ...Object.keys(files)],
    lang: ['es', 'en', 'pt'],
    delimiter: [',', ';', 'tab'],
    decimal: ['.', ','],
  };
  return Object.entries(choices).map(([name, values]) => ({ name, in: 'query', schema: { enum: values } }));
}

function pathOf(template: string): fc.Arbitrary<string> {
  const parts = template.split(/(\{[^}]+\})/);
  const filled = fc
    .tuple(...parts.map((part) => (part.startsWith('{') ? ID : fc.constant(part))))
    .map((list) => list.join(''));
  const spoilt = fc.constantFrom('/', '//', '/%', '/%c0%80', '/..', ';a=b', '%20', '/statement', '\u007f');
  return fc.oneof(
    { weight: 30, arbitrary: filled },
    { weight: 1, arbitrary: fc.tuple(filled, spoilt).map(([path, end]) => `${path}${encodeURI(end)}`) },
    { weight: 1, arbitrary: filled.map((path) => path.toUpperCase()) },
  );
}

function queryOf(document: OpenApi, parameters: readonly Parameter[]): fc.Arbitrary<string> {
  const known = parameters
    .filter((parameter) => parameter.in === 'query')
    .map(({ name, schema }) =>
      fc.oneof(
        { weight: 4, arbitrary: fc.constant(null) },
        {
          weight: 2,
          arbitrary: validOf(document, schema).map((value) => pair(name, plain(value))),
        },
        { weight: 1, arbitrary: ODD_TEXT.map((text) => pair(name, text.slice(0, 2_000))) },
        // The same parameter twice, as an array, as an object.
        {
          weight: 1,
          arbitrary: fc.constantFrom(`${name}=1&${name}=2`, `${name}[]=1`, `${name}[a]=1`, name, `${name}=`),
        },
      ),
    );
  const unknown = fc.oneof(
    { weight: 12, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom('__proto__=1', 'x=%', '&&&', '=', 'x=%ff%fe', 'constructor[prototype]=1') },
  );
  return fc.tuple(...known, unknown).map((list) => {
    const present = list.filter((one) => one !== null);
    return present.length === 0 ? '' : `?${present.join('&')}`;
  });
}

function headersOf(apiKey: string): fc.Arbitrary<Record<string, string>> {
  const visible = fc.string({
    minLength: 1,
    maxLength: 300,
    unit: fc.constantFrom(...'abcXYZ019-_.~!#$%&*+/=?^`|{} '),
  });
  const optional = (
    name: string,
    arbitrary: fc.Arbitrary<string>,
    weight: number,
  ): fc.Arbitrary<Record<string, string>> =>
    fc.oneof(
      { weight: 10, arbitrary: fc.constant({}) },
      { weight, arbitrary: arbitrary.map((value) => ({ [name]: value })) },
    );
  return fc
    .tuple(
      fc.oneof(
        { weight: 30, arbitrary: fc.constant({ 'x-api-key': apiKey }) },
        { weight: 1, arbitrary: fc.constant({}) },
        { weight: 1, arbitrary: visible.map((key) => ({ 'x-api-key': key })) },
      ),
      optional(
        'content-type',
        fc.constantFrom(
          'text/plain',
          'application/xml',
          '',
          'application/json; charset=latin1',
          'multipart/form-data',
          'application/jsonx',
          'APPLICATION/JSON',
          ';;',
        ),
        2,
      ),
      optional(
        'accept',
        fc.constantFrom(
          '*/*',
          'text/csv',
          'application/pdf',
          'text/html',
          'image/*;q=0',
          'application/json;q=0',
          ';',
          'a/b;q=zz',
          ',',
        ),
        3,
      ),
      optional('idempotency-key', fc.oneof(visible, fc.constantFrom('k', 'k1', 'k2', ' ', 'x'.repeat(256))), 3),
      optional('if-none-match', fc.constantFrom('*', '"x"', 'W/"x", "y"', '"', ','), 2),
      optional('accept-language', fc.constantFrom('es', 'en;q=0', '*', 'xx-YY', ';;', 'es-MX,es;q=0.9'), 1),
      optional('x-request-id', visible, 1),
      optional('expect', fc.constantFrom('100-continue'), 1),
      optional('content-encoding', fc.constantFrom('gzip', 'br', 'identity', 'x'), 1),
      optional('range', fc.constantFrom('bytes=0-1', 'bytes=-'), 1),
    )
    .map((list) => Object.assign({}, ...list));
}

function bodyOf(document: OpenApi, schema: Schema | undefined): fc.Arbitrary<string | undefined> {
  const junk = fc.oneof(
    fc.constantFrom('', '{', 'null', '[]', '"x"', '0', '{}', '{"a":1,}', '\ufeff{}', '{"__proto__":{"a":1}}', '\u0000'),
    ODD_VALUE.map((value) => JSON.stringify(value)),
    ODD_TEXT,
    // Nested deeper than a recursive program can follow.
    fc.constant('['.repeat(20_000) + ']'.repeat(20_000)),
  );
  if (schema === undefined) {
    return fc.oneof({ weight: 12, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: junk });
  }
  const right = validOf(document, schema);
  const text = (value: unknown): string => JSON.stringify(value);
  return fc.oneof(
    { weight: 10, arbitrary: right.map(text) },
    { weight: 8, arbitrary: spoiltOf(document, schema, right).map(text) },
    { weight: 1, arbitrary: junk },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

/** A right body with one field taken out, replaced by an odd value, or added. */
function spoiltOf(document: OpenApi, schema: Schema, right: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  const names = Object.keys(resolve(document, schema).properties ?? {});
  const anyName = names.length === 0 ? fc.constant('x') : fc.constantFrom(...names);
  const strange = fc.constantFrom('id', 'status', 'x', '', '__proto__', 'constructor', 'a/b~c', '\u0000');
  return fc
    .tuple(right, fc.constantFrom('drop', 'replace', 'add'), anyName, strange, ODD_VALUE)
    .map(([body, how, name, other, value]) => {
      const fields = new Map(Object.entries(typeof body === 'object' && body !== null ? body : {}));
      if (how === 'drop') fields.delete(name);
      else fields.set(how === 'add' ? other : name, value);
      return Object.fromEntries(fields);
    });
}

/** A value the schema allows. */
export function validOf(document: OpenApi, given: Schema | undefined): fc.Arbitrary<unknown> {
  if (given === undefined) return ODD_VALUE;
  const schema = resolve(document, given);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map((one) => validOf(document, one)));
  const [type] = [schema.type].flat();
  if (schema.type?.includes('number') === true && schema.pattern !== undefined) return AMOUNT;
  if (type === 'object') return objectOf(document, schema);
  if (type === 'array') return fc.array(validOf(document, schema.items), { maxLength: 3 });
  if (type === 'integer') return fc.integer({ min: schema.minimum ?? 0, max: Math.min(schema.maximum ?? 12, 12) });
  if (type === 'number') return fc.double({ noNaN: true });
  if (type === 'boolean') return fc.boolean();
  return textOf(schema);
}

const AMOUNT = fc.oneof(
  fc.integer({ min: 1, max: 99_999_999_999 }).map((minor) => (minor / 100).toFixed(2)),
  fc.integer({ min: 1, max: 2_000 }),
);

function objectOf(document: OpenApi, { properties = {}, required = [] }: Schema): fc.Arbitrary<unknown> {
  const model = Object.entries(properties).map(([name, schema]) => [name, validOf(document, schema)] as const);
  return fc.record(Object.fromEntries(model), { requiredKeys: [...required] });
}

function textOf(schema: Schema): fc.Arbitrary<unknown> {
  switch (schema.format) {
    case 'date':
      return fc.constantFrom('2026-01-31', '0001-01-01', '9999-12-31', '2024-02-29');
    case 'date-time':
    case 'date-or-date-time':
      return fc.constantFrom(
        '2026-01-31T12:00:00Z',
        '2020-02-29T23:59:59.999-06:00',
        '0001-01-01T00:00:00Z',
        '9999-12-31T23:59:59Z',
      );
    case 'email':
      return fc.uuid().map((id) => `${id}@example.com`);
    case 'country':
      return fc.constantFrom('MX', 'co', 'EC');
    case 'currency':
      return fc.constantFrom('MXN', 'usd', 'JPY', 'CLP');
    case 'timezone':
      return fc.constantFrom('UTC', 'America/Bogota', 'Pacific/Kiritimati');
    default:
      return fc.oneof(
        fc.constantFrom(...(schema.examples ?? ['x'])),
        fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }),
      );
  }
}

function resolve<T extends { $ref?: string }>(document: OpenApi, value: T): T {
  if (value.$ref === undefined) return value;
  let found: unknown = document;
  for (const name of value.$ref.slice(2).split('/')) {
    found = typeof found === 'object' && found !== null ? new Map(Object.entries(found)).get(name) : undefined;
  }
  return resolve(document, found as T);
}

/** Halves of surrogate pairs have no place in a URL: they become U+FFFD, as everywhere where text turns into bytes. */
function wellFormed(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}

function pair(name: string, value: string): string {
  return `${encodeURIComponent(name)}=${encodeURIComponent(wellFormed(value))}`;
}

function plain(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
