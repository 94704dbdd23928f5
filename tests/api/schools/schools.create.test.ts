import { describe, expect, test } from 'vitest';
import { startBilling } from '../../support/billing.ts';
import { schoolBody } from '../../support/factories.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
const RFC_3339_UTC = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;

describe('POST /schools', () => {
  test('201: opens the school with every default', async () => {
    const answer = await billing.post('/schools', { name: 'Instituto Ñandú', country: 'MX', currency: 'MXN' });

    expect(answer.status).toBe(201);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(answer.body).toEqual({
      id: expect.any(Number),
      name: 'Instituto Ñandú',
      country: 'MX',
      currency: 'MXN',
      timezone: 'America/Mexico_City',
      invoice_prefix: 'F',
      receipt_prefix: 'R',
      is_active: true,
      created_at: expect.stringMatching(RFC_3339_UTC),
      updated_at: answer.body['created_at'],
      credit_note_prefix: 'NC',
      legal_name: null,
      tax_id: null,
      address: null,
      phone: null,
      email: null,
      payment_instructions: null,
      invoice_title: null,
      refund_prefix: 'DV',
    });
  });

  test('201: upper-cases country and currency, takes a zone and prefixes', async () => {
    const more = {
      country: 'co',
      currency: 'cop',
      timezone: 'America/Bogota',
      invoice_prefix: 'A',
      receipt_prefix: 'B1',
      credit_note_prefix: 'C2',
      refund_prefix: 'D2',
    };
    const answer = await billing.post('/schools', schoolBody(more));
    expect(answer.body).toMatchObject({ ...more, country: 'CO', currency: 'COP' });
  });

  test.each([
    ['JP', 'Asia/Tokyo'],
    ['CL', 'America/Santiago'],
    ['BR', 'America/Sao_Paulo'],
    ['US', 'America/New_York'],
    ['PE', 'America/Lima'],
    ['ES', 'Europe/Madrid'],
  ])('201: without a time zone a school in %s is in %s', async (country, timezone) => {
    const { timezone: _, ...body } = { timezone: '', ...schoolBody({ country }) };
    expect((await billing.post('/schools', body)).body['timezone']).toBe(timezone);
  });

  test.each([
    ['spaces at both ends', '  Colegio  '],
    ['SQL', `x'); drop table schools; --`],
    ['markup and a backslash', '<b>"\\n"</b>'],
    ['a letter and its combining accent', 'Jose\u0301'],
    ['a control character that is not NUL', 'a\u0001b'],
    ['255 code points outside the BMP', '😀'.repeat(255)],
  ])('201: keeps a name with %s byte for byte', async (_, name) => {
    const { status, body } = await billing.post('/schools', schoolBody({ name }));
    expect(status).toBe(201);
    expect(body['name']).toBe(name);
    const { rows } = await billing.owner.query('select name from schools where id = $1', [body['id']]);
    expect(rows).toEqual([{ name }]);
  });

  test.each([
    [{ name: undefined }, '#/name'],
    [{ name: '' }, '#/name'],
    [{ name: 'x'.repeat(256) }, '#/name'],
    [{ name: '😀'.repeat(256) }, '#/name'],
    [{ name: 'a\0b' }, '#/name'],
    [{ name: null }, '#/name'],
    [{ name: 7 }, '#/name'],
    [{ country: undefined }, '#/country'],
    [{ country: 'XX' }, '#/country'],
    [{ country: 'MEX' }, '#/country'],
    [{ country: 'M' }, '#/country'],
    [{ country: '' }, '#/country'],
    [{ country: 'ﬁ' }, '#/country'],
    [{ country: 484 }, '#/country'],
    [{ currency: undefined }, '#/currency'],
    [{ currency: 'ZZZ' }, '#/currency'],
    [{ currency: 'MX' }, '#/currency'],
    [{ currency: '' }, '#/currency'],
    [{ timezone: 'Mexico City' }, '#/timezone'],
    [{ timezone: '+05:00' }, '#/timezone'],
    [{ timezone: null }, '#/timezone'],
    [{ name: ' ' }, '#/name'],
    [{ name: '\u200b\u2060\ufeff' }, '#/name'],
    [{ name: '\u0000' }, '#/name'],
    [{ name: '\t\u0007\u0085' }, '#/name'],
    [{ name: '\u0301\u0303' }, '#/name'],
    [{ name: '\u3164\u115f\u2800' }, '#/name'],
    [{ invoice_prefix: 'f' }, '#/invoice_prefix'],
    [{ invoice_prefix: '' }, '#/invoice_prefix'],
    [{ receipt_prefix: 'ABCDEFGHIJK' }, '#/receipt_prefix'],
    [{ receipt_prefix: 'A-B' }, '#/receipt_prefix'],
    [{ id: 1 }, '#/id'],
    [{ is_active: false }, '#/is_active'],
    [{ created_at: '2026-01-01T00:00:00Z' }, '#/created_at'],
    [{ nmae: 'x' }, '#/nmae'],
    [{ 'a/b~c': 1 }, '#/a~1b~0c'],
  ])('422: %j points to the field', async (fields, pointer) => {
    expectProblem(await billing.post('/schools', schoolBody(fields)), 422, 'request_invalid', [pointer]);
  });

  test('422: every wrong field at once, each once', async () => {
    const answer = await billing.post('/schools', { name: '', country: 'XX', extra: 1 });
    expectProblem(answer, 422, 'request_invalid');
    expect(answer.body['errors']).toEqual(
      expect.arrayContaining([
        { pointer: '#/name', detail: expect.any(String) },
        { pointer: '#/country', detail: 'must be an ISO 3166-1 alpha-2 code' },
        { pointer: '#/currency', detail: 'is required' },
        { pointer: '#/extra', detail: 'is not a field of this request' },
      ]),
    );
    expect(answer.body['errors']).toHaveLength(4);
  });

  // Every zone taken here is one PostgreSQL computes with later: a name only we know would be a 500 on each invoice.
  test('422: a zone that we know and PostgreSQL does not', async () => {
    for (const timezone of ['US/Pacific-New', 'Canada/East-Saskatchewan', 'canada/east-saskatchewan']) {
      const answer = await billing.post('/schools', schoolBody({ timezone }));
      expectProblem(answer, 422, 'school_timezone_unknown', ['#/timezone']);
    }
  });

  test('201: PostgreSQL knows every zone that is taken', async () => {
    const { rows } = await billing.owner.query<{ name: string }>('select name from pg_timezone_names');
    const known = new Set(rows.map(({ name }) => name));
    expect(Intl.supportedValuesOf('timeZone').filter((name) => !known.has(name))).toEqual([]);
  });

  test('201: a school that numbers invoices by NC gets another prefix for its credit notes', async () => {
    const { body } = await billing.post('/schools', schoolBody({ invoice_prefix: 'NC' }));
    expect(body).toMatchObject({ invoice_prefix: 'NC', credit_note_prefix: 'CN' });
    const answer = await billing.post('/schools', schoolBody({ credit_note_prefix: 'R' }));
    expectProblem(answer, 422, 'school_prefixes_equal', ['#/credit_note_prefix']);
  });

  test('201: a school that numbers something by DV gets another prefix for its refunds', async () => {
    for (const [fields, refund_prefix] of [
      [{ invoice_prefix: 'DV' }, 'RF'],
      [{ receipt_prefix: 'DV', credit_note_prefix: 'RF' }, 'DEV'],
    ] as const) {
      expect((await billing.post('/schools', schoolBody(fields))).body).toMatchObject({ ...fields, refund_prefix });
    }
    const answer = await billing.post('/schools', schoolBody({ refund_prefix: 'NC' }));
    expect(answer.body).toMatchObject({ refund_prefix: 'NC', credit_note_prefix: 'CN' });
    const equal = await billing.post('/schools', schoolBody({ refund_prefix: 'F' }));
    expectProblem(equal, 422, 'school_prefixes_equal', ['#/refund_prefix']);
  });

  test('422: one prefix for invoices and receipts', async () => {
    for (const fields of [{ invoice_prefix: 'R' }, { invoice_prefix: 'X', receipt_prefix: 'X' }]) {
      const answer = await billing.post('/schools', schoolBody(fields));
      expectProblem(answer, 422, 'school_prefixes_equal', ['#/invoice_prefix']);
    }
    const answer = await billing.post('/schools', schoolBody({ receipt_prefix: 'F' }));
    expectProblem(answer, 422, 'school_prefixes_equal', ['#/receipt_prefix']);
  });

  test('409: the name is taken in this country, in another it is free', async () => {
    const body = schoolBody({ name: 'Colegio Único', country: 'MX' });
    await billing.aSchool(body);

    const taken = await billing.post('/schools', body);

    expectProblem(taken, 409, 'school_name_taken');
    expect(taken.body['detail']).toBe('School with name=Colegio Único in MX already exists');
    expect((await billing.post('/schools', { ...body, country: 'CO' })).status).toBe(201);
    expect((await billing.post('/schools', { ...body, name: 'Colegio Unico' })).status).toBe(201);
  });

  // One for people: Excel, a second keyboard or another clerk wrote it.
  test.each(['colegio ESPAÑOL', ' Colegio Español', 'Colegio Español\u00a0\t', 'Colegio Espan\u0303ol'])(
    '409: the name is taken, also when it is written %j',
    async (name) => {
      const body = schoolBody({ name: 'Colegio Español', country: 'UY' });
      const first = await billing.post('/schools', body);
      expect([201, 409]).toContain(first.status);
      expectProblem(await billing.post('/schools', { ...body, name }), 409, 'school_name_taken');
    },
  );

  test('409: a deactivated school keeps its name', async () => {
    const body = schoolBody();
    await billing.delete(`/schools/${await billing.aSchool(body)}`);
    expectProblem(await billing.post('/schools', body), 409, 'school_name_taken');
  });
});
