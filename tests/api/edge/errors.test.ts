import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { API_KEY } from '../../support/address.ts';
import { startBilling } from '../../support/billing.ts';
import { schoolBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const schoolId = await billing.aSchool();
const address = new URL(await billing.app.listen({ host: '127.0.0.1', port: 0 }));
const JSON_TYPE = { 'content-type': 'application/json' };

describe('what the framework refuses', () => {
  test.each([
    ['GET', '/nothing'],
    ['POST', '/nothing'],
    ['GET', '//api'],
    ['GET', '/schools/1/students'],
    ['GET', '/schools/1/'],
    ['GET', '/Schools'],
    ['GET', '//problems/nothing'],
    ['GET', '//problems/toString'],
    ['GET', '//problems/..%2F..%2Fpackage.json'],
    ['GET', '//docs/static/..%2f..%2fpackage.json'],
  ] as const)('404: %s %s', async (method, path) => {
    expectProblem(await billing.send(method, path), 404, 'route_not_found');
  });

  test.each([
    ['GET', `/schools/${schoolId}`, undefined],
    ['GET', '/reconciliation', undefined],
    ['POST', '/schools', schoolBody()],
    ['PATCH', `/schools/${schoolId}`, { name: 'Another' }],
    ['DELETE', `/schools/${schoolId}`, undefined],
  ] as const)('422: %s %s takes no parameters, and does nothing when it gets one', async (method, path, body) => {
    const before = (await billing.send('GET', '/schools')).body;
    const answer = await billing.send(method, `${path}?force=true`, body);
    expectProblem(answer, 422, 'request_invalid', ['#/force']);
    expect((await billing.send('GET', '/schools')).body).toEqual(before);
  });

  test('404: nothing is there, whatever body is sent to it', async () => {
    expectProblem(
      await billing.send('POST', '/nothing', 'x', { 'content-type': 'text/plain' }),
      404,
      'route_not_found',
    );
    expectProblem(await billing.send('POST', '/nothing', '{', JSON_TYPE), 404, 'route_not_found');
    expectProblem(await billing.send('POST', '/nothing', 'x'.repeat(70_000), JSON_TYPE), 404, 'route_not_found');
  });

  test.each([
    ['GET', '/schools/', '/api/v1/schools'],
    ['GET', '/schools/?limit=1', '/api/v1/schools'],
    ['POST', '/payments/', '/api/v1/payments'],
    ['GET', '/schools/7/statement/', '/api/v1/schools/7/statement'],
    ['GET', '//health/', '/health'],
  ] as const)('404: %s %s is told the address without the slash', async (method, path, right) => {
    const answer = await billing.send(method, path);
    expectProblem(answer, 404, 'route_not_found');
    expect(answer.body['detail']).toBe(
      `There is nothing at this address; there is at ${right}, without the slash at the end`,
    );
  });

  test.each(['/nothing/', '/schools//', '/schools/1/nothing/'])(
    '404: %s is no address with a slash too many',
    async (path) => {
      expect((await billing.get(path)).body['detail']).toBe('There is nothing at this address');
    },
  );

  test.each([
    ['PUT', '/schools', 'GET, HEAD, POST'],
    ['DELETE', '/schools', 'GET, HEAD, POST'],
    ['OPTIONS', '/schools', 'GET, HEAD, POST'],
    ['POST', '/schools/1', 'DELETE, GET, HEAD, PATCH'],
    ['GET', '/schools/1/activate', 'PATCH'],
    ['HEAD', '/schools/1/activate', 'PATCH'],
    ['POST', '/schools/1/statement', 'GET, HEAD'],
    ['DELETE', '/payments/1', 'GET, HEAD'],
    ['GET', '/payments/1/reversal', 'POST'],
    ['PUT', '/invoices/1/payments', 'GET, HEAD, POST'],
    ['POST', '//health', 'GET, HEAD'],
    ['DELETE', '//openapi.json', 'GET, HEAD'],
    ['POST', '//docs', 'GET, HEAD'],
  ] as const)('405: %s %s, and Allow says what is allowed', async (method, path, allow) => {
    const answer = await billing.send(method, path);
    if (method === 'HEAD') expect(answer.status).toBe(405);
    else expectProblem(answer, 405, 'method_not_allowed');
    expect(String(answer.headers['allow']).split(', ').sort().join(', ')).toBe(allow);
  });

  test('405: whatever body is sent along', async () => {
    expectProblem(
      await billing.send('PUT', '/schools', 'x', { 'content-type': 'text/plain' }),
      405,
      'method_not_allowed',
    );
    expectProblem(await billing.send('PUT', '/schools', 'x'.repeat(70_000), JSON_TYPE), 405, 'method_not_allowed');
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/merge-patch+json',
    'text/json',
    'nonsense',
    '',
  ])('415: the content type %j', async (type) => {
    const answer = await billing.send('POST', '/schools', Buffer.from('{}'), { 'content-type': type });
    expectProblem(answer, 415, 'media_type_unsupported');
  });

  test.each(['gzip', 'br', 'GZIP', 'identity, gzip', 'x'])('415: a body with Content-Encoding %s', async (encoding) => {
    const body = gzipSync(JSON.stringify(schoolBody()));
    const answer = await billing.send('POST', '/schools', body, { ...JSON_TYPE, 'content-encoding': encoding });
    expectProblem(answer, 415, 'media_type_unsupported');
    expect(answer.body['detail']).toBe('The body must not be compressed (Content-Encoding)');
    expect(answer.headers['accept-encoding']).toBe('identity');
  });

  test('201: a body whose Content-Encoding says that it has none', async () => {
    const answer = await billing.post('/schools', schoolBody(), { 'content-encoding': 'identity' });
    expect(answer.status).toBe(201);
  });

  test.each(['True', 'yes', '1', ''])('422: overdue=%s is told what a truth value looks like', async (value) => {
    const answer = await billing.get(`/invoices?overdue=${value}`);
    expectProblem(answer, 422, 'request_invalid', ['#/overdue']);
    expect(answer.body['errors']).toMatchObject([{ detail: 'must be true or false' }]);
  });

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/json;charset=UTF-8',
  ])('201: the content type %j', async (type) => {
    const answer = await billing.send('POST', '/schools', JSON.stringify(schoolBody()), { 'content-type': type });
    expect(answer.status).toBe(201);
  });

  test.each(['%', '%zz', '%E0%A4%A', '%c0%ae', '%ff'])('400: %s in the path cannot be decoded', async (text) => {
    expectProblem(await billing.get(`/schools/${text}`), 400, 'url_invalid');
  });

  test.each(['%', '%zz', '%F1', 'Da%F1ado', 'Jos%E9', '%c0%ae', '%ed%a0%80', 'x%', 'x%2'])(
    '400: %s in a query string cannot be decoded, and nothing is done',
    async (text) => {
      const invoice = await billing.anInvoice();
      expectProblem(await billing.delete(`/invoices/${invoice}?reason=${text}`), 400, 'url_invalid');
      expect((await billing.get(`/invoices/${invoice}`)).body).toMatchObject({ status: 'ISSUED', void_reason: null });
      expectProblem(await billing.get(`/students?q=${text}`), 400, 'url_invalid');
      expectProblem(await billing.get(`/students?${text}=1`), 400, 'url_invalid');
      expectProblem(await billing.send('POST', `/schools?${text}`, '{'), 400, 'url_invalid');
    },
  );

  test('401: what cannot be decoded tells nothing to who has no key', async () => {
    expectProblem(await billing.delete('/invoices/1?reason=%F1', { 'x-api-key': '' }), 401, 'api_key_missing');
  });

  test.each([
    '/invoices?currency=MXN',
    '/students?email=x',
    '/schools/1/summary?student_id=1',
    '/payments?status=PAID',
  ])('422: %s has a parameter that is unknown there', async (path) => {
    const [name = ''] = path.slice(path.indexOf('?') + 1).split('=');
    const answer = await billing.get(path);
    expectProblem(answer, 422, 'request_invalid', [`#/${name}`]);
    expect(answer.body['errors']).toMatchObject([{ detail: 'is an unknown parameter' }]);
  });

  test('404: a path segment of more than 100 characters', async () => {
    expectProblem(await billing.get(`/schools/${'1'.repeat(101)}`), 404, 'route_not_found');
  });
});

describe('bodies', () => {
  test.each([
    ['an unclosed object', '{"name":'],
    ['a trailing comma', '{"name":"x",}'],
    ['single quotes', `{'name':'x'}`],
    ['a comment', '{/* */}'],
    ['NaN', '{"amount":NaN}'],
    ['a number with a plus', '{"amount":+5}'],
    ['a number that begins with a point', '{"amount":.5}'],
    ['a leading zero', '{"amount":05}'],
    ['two documents', '{}{}'],
    ['a byte order mark inside', '{\ufeff}'],
    ['a second byte order mark', '\ufeff\ufeff{}'],
    ['a raw NUL', '{"name":"\0"}'],
    ['a raw line break in a string', '{"name":"a\nb"}'],
    ['nothing but a space', ' '],
  ])('422: %s is not JSON', async (_, body) => {
    expectProblem(await billing.send('POST', '/schools', body, JSON_TYPE), 422, 'json_invalid', ['#']);
  });

  test.each([
    ['a lone continuation byte', [0x80]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['half a surrogate pair', [0xed, 0xa0, 0x80]],
    ['Latin-1', [0xf1]],
    ['a cut sequence', [0xe2, 0x82]],
  ])('422: %s is not UTF-8', async (_, bytes) => {
    const body = Buffer.concat([Buffer.from('{"name":"'), Buffer.from(bytes), Buffer.from('"}')]);
    expectProblem(await billing.send('POST', '/schools', body, JSON_TYPE), 422, 'json_invalid', ['#']);
  });

  test.each(['null', '[]', '[{}]', '"x"', '5', 'true', ''])('422: %j is no object', async (body) => {
    expectProblem(await billing.send('POST', '/schools', body, JSON_TYPE), 422, 'request_invalid', ['#']);
    if (body !== '')
      expectProblem(await billing.send('PATCH', `/schools/${schoolId}`, body), 422, 'request_invalid', ['#']);
  });

  test('422: no body at all', async () => {
    expectProblem(await billing.post('/schools'), 422, 'request_invalid', ['#']);
  });

  test.each([
    ['NUL', '\\u0000'],
    ['a lone high surrogate', '\\ud83d'],
    ['a lone low surrogate', '\\ude00'],
    ['surrogates in the wrong order', '\\ude00\\ud83d'],
  ])('422: %s in a text is named', async (_, escaped) => {
    const body = `{"name":"a${escaped}b","country":"MX","currency":"MXN"}`;
    const answer = await billing.send('POST', '/schools', body);
    expectProblem(answer, 422, 'request_invalid', ['#/name']);
    expect(answer.text).toContain('must not contain NUL or unpaired surrogates');
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype'])(
    '422: a member called %s is an unknown field like any other, and poisons nothing',
    async (name) => {
      const body = `{"name":"x","country":"MX","currency":"MXN","${name}":{"is_active":false,"isAdmin":true}}`;
      expectProblem(await billing.send('POST', '/schools', body), 422, 'request_invalid', [`#/${name}`]);
      expectProblem(await billing.send('PATCH', `/schools/${schoolId}`, `{"${name}":{}}`), 422, 'request_invalid');
      expect(Object.hasOwn(Object.prototype, 'isAdmin')).toBe(false);
    },
  );

  test('422: required members are not taken from __proto__', async () => {
    const body = `{"__proto__":${JSON.stringify(schoolBody())}}`;
    expectProblem(await billing.send('POST', '/schools', body), 422, 'request_invalid');
  });

  test('201: a byte order mark in front of a body', async () => {
    expect((await billing.send('POST', '/schools', `\ufeff${JSON.stringify(schoolBody())}`)).status).toBe(201);
    expect((await billing.send('PATCH', `/schools/${schoolId}`, '\ufeff{}')).status).toBe(200);
    const nothing = await billing.send('POST', '/schools', '\ufeff');
    expectProblem(nothing, 422, 'request_invalid', ['#']);
  });

  // JSON.parse takes the last: of two amounts, one would be charged that nobody looked at.
  test.each([
    ['{"name":"primero","name":"segundo"}', '#/name'],
    ['{"name":"primero","name":"primero"}', '#/name'],
    [String.raw`{"name":"primero","n\u0061me":"segundo"}`, '#/name'],
    ['{"name":"x","more":[{"a":1},{"b":{"c/~":1,"d":2,"c/~":3}}]}', '#/more/1/b/c~1~0'],
    ['{"__proto__":1,"__proto__":2}', '#/__proto__'],
  ])('422: a repeated member is named, and nothing is done: %s', async (body, pointer) => {
    const before = (await billing.get(`/schools/${schoolId}`)).text;
    const answer = await billing.send('PATCH', `/schools/${schoolId}`, body);
    expectProblem(answer, 422, 'request_invalid', [pointer]);
    expect(answer.body['errors']).toMatchObject([{ detail: 'is there more than once' }]);
    expect((await billing.get(`/schools/${schoolId}`)).text).toBe(before);
  });

  test('422: a body of nothing but brackets is read to its end', async () => {
    const half = 32_000;
    const answer = await billing.send('POST', '/schools', `${'['.repeat(half)}${']'.repeat(half)}`);
    expectProblem(answer, 422, 'request_invalid', ['#']);
    const open = await billing.send('POST', '/schools', '['.repeat(2 * half));
    expect(open.body['detail']).toBe(`The body is not valid JSON at line 1, column ${2 * half + 1}`);
  });

  test.each([
    ['{"amount": 5,}', 1, 14],
    ['{\n  "name": "Ñandú 🏫",\n  "country": MX\n}', 3, 14],
    ['{"name":"😀", x}', 1, 14],
    ['{"a":"\\x"}', 1, 7],
    ['{"name":"unfinished', 1, 20],
    ['', 1, 2],
  ])('422: broken JSON says where: %j', async (body, line, column) => {
    const answer = await billing.send('POST', '/schools', body === '' ? ' ' : body);
    expectProblem(answer, 422, 'json_invalid', ['#']);
    expect(answer.body['detail']).toBe(`The body is not valid JSON at line ${line}, column ${column}`);
  });

  test('413: 64 KiB and a byte are refused, 64 KiB are read', async () => {
    const body = JSON.stringify(schoolBody({ name: 'Sixty-four kibibytes' }));
    const padded = (bytes: number): string => body.padEnd(bytes);
    expect((await billing.send('POST', '/schools', padded(65_536))).status).toBe(201);
    const answer = await billing.send('POST', '/schools', padded(65_537));
    expectProblem(answer, 413, 'body_too_large');
  });

  // "At once": the refusal comes on the announcement alone. Waiting for the body would let anybody hold a socket.
  test('413: at once, before the body has been sent, and closes', async () => {
    const text = await exchange(
      `POST /api/v1/schools HTTP/1.1\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text).toMatch(/connection: close/i);
    expect(text).toMatch(/content-type: application\/problem\+json/i);
    expect(text).toContain('"code":"body_too_large"');
  });

  test('413: a body in chunks that announces no length', async () => {
    const chunk = `${(8_192).toString(16)}\r\n${' '.repeat(8_192)}\r\n`;
    const text = await exchange(
      `POST /api/v1/schools HTTP/1.1\r\nHost: x\r\nX-API-Key: ${API_KEY}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(9)}`,
    );
    expect(text).toMatch(/^HTTP\/1\.1 413 /);
    expect(text).toContain('"code":"body_too_large"');
  });
});

describe('what is not HTTP', () => {
  test.each([
    ['400', 'request_malformed', 'nonsense\r\n\r\n'],
    ['400', 'request_malformed', 'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n'],
    ['400', 'request_malformed', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['431', 'headers_too_large', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
  ])('%s: %s', async (status, code, sent) => {
    const text = await exchange(sent);
    expect(text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(text).toMatch(/content-type: application\/problem\+json/i);
    const body = JSON.parse(text.slice(text.indexOf('\r\n\r\n')));
    expect(body).toMatchObject({ status: Number(status), code });
    expect(text.toLowerCase()).toContain(`x-request-id: ${String(body.request_id).toLowerCase()}`);
  });
});

test('200: an Expect that nobody knows is no reason to refuse', async () => {
  const text = await exchange('GET /health HTTP/1.1\r\nHost: x\r\nExpect: a-miracle\r\nConnection: close\r\n\r\n');
  expect(text).toMatch(/^HTTP\/1\.1 200 /);
  const old = await exchange('GET /health HTTP/1.0\r\n\r\n');
  expect(old).toMatch(/^HTTP\/1\.1 200 /);
});

describe('ids in paths', () => {
  const IDS = [
    '0',
    '-1',
    '1.5',
    'abc',
    '9223372036854775808',
    '99999999999999999999',
    '1e3',
    '0x10',
    '01',
    '+1',
    '%20',
    '1%20',
  ];
  const MORE = ['NaN', 'null', 'undefined', '1,2', "1'", '1;--', '%00', '１', '9007199254740992', '-0', 'true'];
  const ROUTES = [
    ['GET', '/schools/'],
    ['PATCH', '/schools/'],
    ['DELETE', '/schools/'],
    ['GET', '/students/'],
    ['PATCH', '/students/'],
    ['DELETE', '/students/'],
    ['GET', '/invoices/'],
    ['PATCH', '/invoices/'],
    ['DELETE', '/invoices/'],
    ['GET', '/payments/'],
  ] as const;
  const NESTED = [
    ['GET', '/schools/', '/statement'],
    ['PATCH', '/schools/', '/activate'],
    ['GET', '/students/', '/statement'],
    ['GET', '/invoices/', '/payments'],
    ['POST', '/invoices/', '/payments'],
    ['GET', '/invoices/', '/credit-notes'],
    ['POST', '/invoices/', '/credit-notes'],
    ['POST', '/payments/', '/reversal'],
  ] as const;

  test.each([...IDS, ...MORE])('422: %s on every route that takes an id', async (id) => {
    for (const [method, before, after = ''] of [...ROUTES, ...NESTED]) {
      const body = method === 'PATCH' && after === '' ? {} : undefined;
      const path = `${before}${encodeURI(decodeURIComponent(id))}${after}`;
      const answer = await billing.send(method, path, body);
      expect(`${method} ${path} ${answer.status}`).toBe(`${method} ${path} 422`);
      expectProblem(answer, 422, 'request_invalid');
    }
  });

  test('404: the largest id that can be one', async () => {
    for (const noun of ['schools', 'students', 'invoices', 'payments']) {
      expect((await billing.get(`/${noun}/9007199254740991`)).status).toBe(404);
    }
  });

  test.each([0, -1, 1.5, '1', 2 ** 63, null, true, [], {}, 9_007_199_254_740_992])(
    '422: %j as an id in a body',
    async (id) => {
      const student = { school_id: id, first_name: 'a', last_name: 'b', email: 'c@d.mx' };
      expectProblem(await billing.post('/students', student), 422, 'request_invalid', ['#/school_id']);
      expectProblem(await billing.post('/payments', { invoice_id: id, amount: 1 }), 422, 'request_invalid', [
        '#/invoice_id',
      ]);
    },
  );
});

describe('problem documents', () => {
  const NOBODY = 999_999_999;
  const OF_ACCOUNTS = [
    '',
    '/statement',
    '/statement?limit=5',
    '/statement?format=csv',
    '/ledger',
    '/ledger?format=csv',
  ];
  const OF_INVOICES = ['', '/payments', '/payments?format=csv', '/credit-notes', '/credit-notes?format=csv'];
  test.each([
    ...[...OF_ACCOUNTS, '/aging', '/debtors', '/summary'].map((path) => ['School', `/schools/${NOBODY}${path}`]),
    ...[...OF_ACCOUNTS, '/aging'].map((path) => ['Student', `/students/${NOBODY}${path}`]),
    ...OF_INVOICES.map((path) => ['Invoice', `/invoices/${NOBODY}${path}`]),
    ['Payment', `/payments/${NOBODY}`],
  ])('404: says that the %s of %s was not found, whatever is asked of it', async (noun = '', path = '') => {
    const answer = await billing.get(path);
    expectProblem(answer, 404, `${noun.toLowerCase()}_not_found`);
    expect(answer.body['detail']).toBe(`${noun} with id ${NOBODY} not found`);
  });

  test('instance is the path alone, title and code go together, type is a page that can be read', async () => {
    const answer = await billing.get('/schools?limit=0&q=secret');
    expectProblem(answer, 422, 'request_invalid', ['#/limit']);
    expect(answer.body['instance']).toBe('/api/v1/schools');
    expect(answer.text).not.toContain('secret');
    const page = await billing.get(`/${answer.body['type']}`);
    expect(page.status).toBe(200);
    expect(page.headers['content-type']).toBe('text/markdown; charset=utf-8');
    expect(page.text).toContain('# request_invalid');
  });

  test('500: a fault of ours shows nothing of itself, is logged, and can be found by its request_id', async () => {
    await billing.owner.query('alter table schools rename column name to gone');
    try {
      const answer = await billing.get('/schools');
      expectProblem(answer, 500, 'internal_error');
      expect(answer.text).not.toMatch(/gone|column/);
      const logged = billing.logs().find(({ event }) => event === 'request_failed');
      expect(logged).toMatchObject({ level: 'error', request_id: answer.body['request_id'] });
    } finally {
      await billing.owner.query('alter table schools rename column gone to name');
    }
  });

  // Whatever is thrown at the API, it answers a success or a whole problem document, and never a 500.
  test('never a 500: generated paths, queries and bodies', async () => {
    const noun = fc.constantFrom('schools', 'students', 'invoices', 'payments', 'nothing');
    const tail = fc.constantFrom(
      '',
      '/1',
      '/1/statement',
      '/1/payments',
      '/1/credit-notes',
      '/1/reversal',
      '/1/activate',
      '/x',
    );
    const name = fc.constantFrom(
      'limit',
      'offset',
      'cursor',
      'count',
      'q',
      'status',
      'school_id',
      'paid_from',
      'due_to',
      'overdue',
    );
    const value = fc.oneof(
      fc.string(),
      fc.integer().map(String),
      fc.constantFrom('true', '2026-01-01', 'WzEsMV0', '%', '%_'),
    );
    const query = fc.array(fc.tuple(name, value), { maxLength: 3 });
    const method = fc.constantFrom('GET', 'POST', 'PATCH', 'PUT') as fc.Arbitrary<'GET' | 'POST' | 'PATCH' | 'PUT'>;
    await fc.assert(
      fc.asyncProperty(method, noun, tail, query, fc.json(), async (verb, first, second, parameters, body) => {
        const search = new URLSearchParams(parameters).toString();
        const answer = await billing.send(verb, `/${first}${second}?${search}`, verb === 'GET' ? undefined : body);
        expect(answer.status).toBeLessThan(500);
        if (answer.status >= 400) expectProblem(answer, answer.status, String(answer.body['code']));
      }),
      { numRuns: 400 },
    );
  });
});

/** Sends bytes to the listening server and resolves with everything it answers until it closes or falls silent. */
async function exchange(bytes: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ host: address.hostname, port: Number(address.port) }, () => socket.write(bytes));
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.endsWith('}')) socket.destroy();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}
