import { afterEach, describe, expect, test } from 'vitest';
import { type Answer, type Billing, type Json, startBilling } from '../../support/billing.ts';
import { expectProblem } from '../../support/problem.ts';

const billing = await startBilling();
afterEach(() => billing.clock.release());

type Row = Json & { id: number };

/** The address a Link header gives for a relation (RFC 8288), below the API's prefix. */
function linkOf({ headers }: Answer<unknown>, rel: 'next' | 'prev'): string | undefined {
  const link = String(headers['link'] ?? '')
    .split(', ')
    .find((one) => one.endsWith(`; rel="${rel}"`));
  return link?.slice(1, link.indexOf('>')).replace('/api/v1', '');
}

/** Follows a relation from page to page, and calls `between` after each. */
async function walk(
  on: Billing,
  start: string,
  rel: 'next' | 'prev',
  between: () => Promise<unknown> = async () => undefined,
): Promise<{ pages: Row[][]; last: string }> {
  const pages: Row[][] = [];
  let path: string | undefined = start;
  let last = start;
  while (path !== undefined) {
    last = path;
    const answer: Answer<Row[]> = await on.get<Row[]>(path);
    expect(answer.status).toBe(200);
    pages.push(answer.body);
    await between();
    path = linkOf(answer, rel);
    if (pages.length > 200) throw new Error('the pages do not end');
  }
  return { pages, last };
}

const ids = (rows: readonly Row[]): number[] => rows.map(({ id }) => id);

/** Ten rows of each noun, with every column that a list is ordered by equal for some of them. */
async function fill(on: Billing): Promise<{ schoolId: number; studentId: number; invoiceId: number }> {
  const schoolId = await on.aSchool();
  for (let i = 0; i < 9; i++) await on.aSchool();
  const students: number[] = [];
  for (let i = 0; i < 10; i++) {
    const name = { last_name: `Apellido ${i % 3}`, first_name: `Nombre ${i % 2}` };
    students.push(await on.aStudent({ school_id: schoolId, ...name }));
  }
  const studentId = students[0] ?? 0;
  const invoices: number[] = [];
  for (let i = 0; i < 10; i++) {
    on.clock.travelTo(`2026-01-0${(i % 3) + 1}T00:00:00Z`);
    invoices.push(await on.anInvoice({ student_id: studentId, amount_total: '1000.00' }));
  }
  on.clock.release();
  const invoiceId = invoices[0] ?? 0;
  for (let i = 0; i < 10; i++) await on.aPayment(invoiceId, '1.00', { paid_at: `2026-02-0${3 - (i % 3)}T00:00:00Z` });
  return { schoolId, studentId, invoiceId };
}

const { schoolId, studentId, invoiceId } = await fill(billing);
for (let i = 0; i < 10; i++) {
  billing.clock.travelTo(`2026-03-0${(i % 2) + 1}T00:00:00Z`);
  await billing.post(`/invoices/${invoiceId}/credit-notes`, { amount: '1.00', reason: 'other' });
}
billing.clock.release();

type Ordered = (a: Row, b: Row) => number;
const by =
  (...keys: string[]): Ordered =>
  (a, b) => {
    for (const key of keys) {
      const [x, y] = [a[key], b[key]] as [string | number, string | number];
      if (x !== y) return x < y ? -1 : 1;
    }
    return 0;
  };
const descending =
  (order: Ordered): Ordered =>
  (a, b) =>
    order(b, a);

const LISTS: [path: string, order: Ordered][] = [
  ['/schools', by('id')],
  ['/students', by('id')],
  [`/students?school_id=${schoolId}`, by('last_name', 'first_name', 'id')],
  ['/invoices', descending(by('created_at', 'id'))],
  [`/invoices?student_id=${studentId}`, descending(by('created_at', 'id'))],
  [`/invoices?school_id=${schoolId}&status=ISSUED,VOID`, descending(by('created_at', 'id'))],
  ['/payments', by('paid_at', 'id')],
  [`/payments?school_id=${schoolId}`, by('paid_at', 'id')],
  [`/invoices/${invoiceId}/payments`, by('paid_at', 'id')],
  [`/invoices/${invoiceId}/credit-notes`, by('created_at', 'id')],
];

const on = (path: string, parameters: string): string => `${path}${path.includes('?') ? '&' : '?'}${parameters}`;

test.each([
  '/schools',
  '/students',
  `/students?school_id=${schoolId}`,
  '/students?q=apellido',
  '/invoices',
  `/invoices?student_id=${studentId}&status=ISSUED`,
  `/invoices?school_id=${schoolId}`,
  '/invoices?status=ISSUED,PARTIAL',
  '/invoices?updated_since=2000-01-01T00:00:00Z',
  '/payments',
  `/payments?student_id=${studentId}&paid_from=2000-01-01`,
  '/payments?paid_from=2000-01-01',
  '/credit-notes',
  `/invoices/${invoiceId}/payments`,
  `/invoices/${invoiceId}/credit-notes`,
])('200: %s says its total on every page, also on one reached by cursor', async (path) => {
  const first = await billing.get(on(path, 'limit=1'));
  const total = first.headers['x-total-count'];
  expect(Number(total)).toBeGreaterThan(1);
  const next = await billing.get(linkOf(first, 'next') ?? '');
  expect(next.headers['x-total-count']).toBe(total);
});

/** Makes a cursor with the mark of the list's own out of what is written behind MARK. */
async function forged(path: string, parameters: string): Promise<string> {
  const [name, text] = parameters.split('MARK.', 2);
  if (text === undefined) return parameters;
  const next = linkOf(await billing.get(on(path, 'limit=2')), 'next') ?? '';
  const own = new URL(next, 'http://x').searchParams.get('cursor') ?? '';
  const [, mark] = JSON.parse(Buffer.from(own, 'base64url').toString());
  return `${name}${Buffer.from(text.replace('MARK', JSON.stringify(mark))).toString('base64url')}`;
}

describe.each(LISTS)('GET %s', (path, order) => {
  test('200: a bare array in the order of the contract, with its total', async () => {
    const { body, headers } = await billing.get<Row[]>(path);
    expect(body.length).toBeGreaterThanOrEqual(9);
    expect(body).toEqual([...body].sort(order));
    expect(headers['x-total-count']).toBe(String(body.length));
    expect(headers['link']).toBeUndefined();
  });

  test.each([1, 2, 3, 7, 10, 1_000])(
    '200: pages of %i visit every row once, there by next and back by prev',
    async (limit) => {
      const { body: whole } = await billing.get<Row[]>(path);

      const there = await walk(billing, on(path, `limit=${limit}`), 'next');
      expect(ids(there.pages.flat())).toEqual(ids(whole));
      expect(there.pages).toHaveLength(Math.ceil(whole.length / limit));
      for (const page of there.pages.slice(0, -1)) expect(page).toHaveLength(limit);

      const back = await walk(billing, there.last, 'prev');
      expect(ids(back.pages.reverse().flat())).toEqual(ids(whole));
    },
  );

  test('200: pages by offset visit every row once; their links lead both ways', async () => {
    const { body: whole } = await billing.get<Row[]>(path);
    const seen: number[] = [];
    for (let offset = 0; offset < whole.length; offset += 3) {
      const answer = await billing.get<Row[]>(on(path, `limit=3&offset=${offset}`));
      seen.push(...ids(answer.body));
      expect(answer.headers['x-total-count']).toBe(String(whole.length));
      const next = linkOf(answer, 'next');
      expect(next === undefined).toBe(offset + 3 >= whole.length);
      if (next !== undefined)
        expect(ids((await billing.get<Row[]>(next)).body)).toEqual(ids(whole.slice(offset + 3, offset + 6)));
      const prev = linkOf(answer, 'prev');
      expect(prev === undefined).toBe(offset === 0);
      if (prev !== undefined)
        expect(ids((await billing.get<Row[]>(prev)).body)).toEqual(ids(whole.slice(offset - 3, offset)));
    }
    expect(seen).toEqual(ids(whole));
  });

  test('200: beyond the end there is nothing, and still the total', async () => {
    const answer = await billing.get(on(path, 'offset=1000&limit=5'));
    expect(answer.text).toBe('[]');
    expect(Number(answer.headers['x-total-count'])).toBeGreaterThanOrEqual(9);
    expect(linkOf(answer, 'next')).toBeUndefined();
    expect(linkOf(answer, 'prev')).toContain('offset=995');
  });

  test('200: links keep the filter and the limit', async () => {
    const answer = await billing.get(on(path, 'limit=2&count=none'));
    const next = new URL(linkOf(answer, 'next') ?? '', 'http://x');
    const asked = new URL(on(path, 'limit=2&count=none'), 'http://x');
    expect(next.pathname).toBe(asked.pathname);
    for (const [name, value] of asked.searchParams) expect(next.searchParams.get(name)).toBe(value);
  });

  test('200: count=none counts nothing', async () => {
    const first = await billing.get(on(path, 'limit=2&count=none'));
    expect(first.headers['x-total-count']).toBeUndefined();
  });

  test('422: a cursor of another list, of another filter, and with another order', async () => {
    const next = linkOf(await billing.get(on(path, 'limit=2')), 'next') ?? '';
    const cursor = new URL(next, 'http://x').searchParams.get('cursor');
    const others = LISTS.map(([other]) => other).filter((other) => other !== path);
    for (const other of others) {
      expectProblem(await billing.get(on(other, `cursor=${cursor}`)), 422, 'request_invalid', ['#/cursor']);
    }
    if (path.startsWith('/invoices/')) return;
    const narrower = await billing.get(on(path, `updated_since=2000-01-01T00:00:00Z&cursor=${cursor}`));
    expectProblem(narrower, 422, 'request_invalid', ['#/cursor']);
  });

  // Cursors stand in the logs of proxies: what is in them besides ids and times would be a name.
  test('200: a cursor holds ids and times', async () => {
    const next = linkOf(await billing.get(on(path, 'limit=2')), 'next') ?? '';
    const cursor = new URL(next, 'http://x').searchParams.get('cursor') ?? '';
    const [, mark, ...key] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    expect(mark).toMatch(/^[\w-]{8}$/);
    for (const value of key) expect(String(value)).toMatch(/^\d+$|^\d{4}-\d{2}-\d{2}T[\d:.+]+$/);
  });

  test.each([
    ['limit=0', '#/limit'],
    ['limit=1001', '#/limit'],
    ['limit=-1', '#/limit'],
    ['limit=1.5', '#/limit'],
    ['limit=1e2', '#/limit'],
    ['limit=abc', '#/limit'],
    ['limit=', '#/limit'],
    ['limit=%2010', '#/limit'],
    ['limit=1&limit=2', '#/limit'],
    ['offset=-1', '#/offset'],
    ['offset=1.0', '#/offset'],
    ['offset=x', '#/offset'],
    ['offset=99999999999999999999', '#/offset'],
    ['count=all', '#/count'],
    ['cursor=', '#/cursor'],
    ['cursor=abc', '#/cursor'],
    ['cursor=W10', '#/cursor'],
    ['cursor=bnVsbA', '#/cursor'],
    ['cursor=MARK.[0,MARK,1]', '#/cursor'],
    ['cursor=MARK.[1,MARK,"x","y","z",1]', '#/cursor'],
    ['cursor=MARK.[1,MARK,1.5]', '#/cursor'],
    ['cursor=MARK.[1,MARK,"2026-01-01 00:00:00.000+23:59",1]', '#/cursor'],
    ['cursor=MARK.[1,MARK,"a\\u0000",1]', '#/cursor'],
    ['page=2', '#/page'],
    ['__proto__=2', '#/__proto__'],
  ])('422: %s', async (parameters, pointer) => {
    expectProblem(await billing.get(on(path, await forged(path, parameters))), 422, 'request_invalid', [pointer]);
  });

  test('422: a cursor together with an offset', async () => {
    const next = linkOf(await billing.get(on(path, 'limit=2')), 'next') ?? '';
    expectProblem(await billing.get(`${next}&offset=0`), 422, 'request_invalid', ['#/cursor']);
  });
});

describe('while rows are inserted', () => {
  // The promise of a cursor: whoever pages through sees each row that was there from the start, once.
  test.each([
    ['/schools', async (to: Billing) => await to.aSchool()],
    ['/students', async (to: Billing) => await to.aStudent()],
    ['/invoices', async (to: Billing) => await to.anInvoice()],
    [
      '/payments',
      async (to: Billing) => await to.aPayment(await to.anInvoice(), '1.00', { paid_at: '2026-02-02T00:00:00Z' }),
    ],
  ])('200: %s by next, and by prev, visit what was there exactly once', async (path, insert) => {
    const { body: whole } = await billing.get<Row[]>(path);
    let inserted = 0;
    const between = async (): Promise<void> => {
      inserted += 1;
      if (inserted <= 4) await insert(billing);
    };
    const there = await walk(billing, `${path}?limit=4`, 'next', between);
    const seen = ids(there.pages.flat());
    expect(new Set(seen).size).toBe(seen.length);
    for (const id of ids(whole)) expect(seen).toContain(id);

    inserted = 0;
    const back = await walk(billing, there.last, 'prev', between);
    const seenBack = ids(back.pages.flat());
    expect(new Set(seenBack).size).toBe(seenBack.length);
    for (const id of ids(whole)) expect(seenBack).toContain(id);
  });
});

test.each([
  ['limit=1&limit=2', 'must be given once'],
  ['country=MX&country=CO', 'must be given once'],
  ['q=a&q=b&q=c', 'must be given once'],
  ['count=none&count=none', 'must be given once'],
  ['offset=9007199254740992', 'must be <= 9007199254740991'],
  ['limit=99999999999999999999', 'must be <= 1000'],
  ['limit=-99999999999999999999', 'must be >= 1'],
  ['limit=1.5', 'must be integer'],
])('422: %s %s', async (parameters, detail) => {
  const { status, body } = await billing.get(`/schools?${parameters}`);
  expect({ status, errors: body['errors'] }).toMatchObject({ status: 422, errors: [{ detail }] });
});

// A question mark need not be encoded in a query (RFC 3986, section 3.4), so what follows it must not get lost.
test('200: links keep all of a query with a question mark in it', async () => {
  for (const name of ['¿Y tú? 1', '¿Y tú? 2', '¿Y tú? 3', 'Y tú 4']) await billing.aSchool({ name });
  const { pages } = await walk(billing, `/schools?q=${encodeURIComponent('¿Y tú')}?&limit=1`, 'next');
  expect(pages.map((page) => page.length)).toEqual([1, 1, 1]);
});

test('200: without a limit a page has 100 rows, and the rest is next', async () => {
  await billing.owner.query(`
    insert into schools (name, country, currency) select 'Escuela ' || n, 'AR', 'ARS' from generate_series(1, 103) n`);
  const { pages } = await walk(billing, '/schools?country=AR', 'next');
  expect(pages.map((page) => page.length)).toEqual([100, 3]);
});

describe('an item of a list is the resource', () => {
  const ODD = 'Ñandú "\\/\b\f\n\r\t\u0001\u007f\u2028\u2029 <b>&amp;</b> 😀 e\u0301';

  test('schools', async () => {
    const school = await billing.aSchool({ name: ODD });
    await billing.delete(`/schools/${school}`);
    const single = await billing.get(`/schools/${school}`);
    expect((await billing.get(`/schools?limit=1&q=${encodeURIComponent(ODD)}`)).text).toBe(`[${single.text}]`);
  });

  test('students', async () => {
    const school = await billing.aSchool();
    const student = await billing.aStudent({ school_id: school, first_name: ODD, last_name: ODD });
    const single = await billing.get(`/students/${student}`);
    expect((await billing.get(`/students?school_id=${school}`)).text).toBe(`[${single.text}]`);
    expect((await billing.get(`/students?q=${encodeURIComponent(ODD)}`)).text).toBe(`[${single.text}]`);
  });

  test.each(['ISSUED', 'PARTIAL', 'PAID', 'VOID'])('invoices that are %s', async (status) => {
    const student = await billing.aStudent();
    const description = status === 'ISSUED' ? null : ODD;
    const invoice = await billing.anInvoice({ student_id: student, amount_total: '1000.00', description });
    if (status === 'PARTIAL') await billing.aPayment(invoice, '0.01');
    if (status === 'PAID') await billing.aPayment(invoice, '900.00');
    if (status === 'PAID') await billing.post(`/invoices/${invoice}/credit-notes`, { amount: 100, reason: 'discount' });
    if (status === 'VOID') await billing.delete(`/invoices/${invoice}?reason=${encodeURIComponent('Por qué')}`);
    const single = await billing.get(`/invoices/${invoice}`);
    expect(single.body['status']).toBe(status);
    expect((await billing.get(`/invoices?student_id=${student}`)).text).toBe(`[${single.text}]`);
  });

  test('payments, reversed or not', async () => {
    const invoice = await billing.anInvoice();
    const plain = await billing.aPayment(invoice, '1.00', { paid_at: '2026-01-01T00:00:00Z' });
    const full = await billing.aPayment(invoice, '2.00', {
      reference: ODD,
      method: 'OTHER',
      paid_at: '2026-01-02T00:00:00Z',
    });
    await billing.post(`/payments/${full}/reversal`, { reason: ODD });
    const singles = [(await billing.get(`/payments/${plain}`)).text, (await billing.get(`/payments/${full}`)).text];
    expect((await billing.get(`/payments?invoice_id=${invoice}`)).text).toBe(`[${singles.join(',')}]`);
    const lying = ['1.00', '0.00'];
    const rows = singles.map((single, index) => single.replace(/}$/, `,"allocated":"${lying[index]}"}`));
    expect((await billing.get(`/invoices/${invoice}/payments`)).text).toBe(`[${rows.join(',')}]`);
  });

  test('credit notes', async () => {
    const invoice = await billing.anInvoice();
    const made = await billing.post(`/invoices/${invoice}/credit-notes`, { amount: 1, reason: 'scholarship' });
    expect((await billing.get(`/invoices/${invoice}/credit-notes`)).text).toBe(`[${made.text}]`);
  });
});

describe('filters', () => {
  async function idsAt(path: string): Promise<number[]> {
    const answer = await billing.get<Row[]>(path);
    expect(`${path} ${answer.status}`).toBe(`${path} 200`);
    expect(answer.headers['x-total-count']).toBe(String(answer.body.length));
    return ids(answer.body).sort((a, b) => a - b);
  }

  test('schools: is_active, country, q', async () => {
    const [a, b, c] = [
      await billing.aSchool({ name: 'Filtro 100% Uno', country: 'BO' }),
      await billing.aSchool({ name: 'FILTRO_100 Dos', country: 'BO' }),
      await billing.aSchool({ name: 'filtro\\100 Tres', country: 'PE' }),
    ];
    await billing.delete(`/schools/${b}`);

    expect(await idsAt('/schools?q=filtro')).toEqual([a, b, c]);
    expect(await idsAt('/schools?q=100%25')).toEqual([a]);
    expect(await idsAt('/schools?q=o_1')).toEqual([b]);
    expect(await idsAt('/schools?q=%5C100')).toEqual([c]);
    expect(await idsAt('/schools?country=BO')).toEqual([a, b]);
    expect(await idsAt('/schools?country=bo&is_active=true')).toEqual([a]);
    expect(await idsAt('/schools?country=BO&is_active=false')).toEqual([b]);
    expect(await idsAt('/schools?country=BO&is_active=true&q=dos')).toEqual([]);
    expect(await idsAt('/schools?q=uno%20filtro')).toEqual([a]);
  });

  test('students: school_id, q in name and email', async () => {
    const school = await billing.aSchool();
    const a = await billing.aStudent({
      school_id: school,
      first_name: 'Zoé',
      last_name: 'Quetzal',
      email: 'z.q@uno.mx',
    });
    const b = await billing.aStudent({ first_name: 'Quetzal', last_name: 'Paz', email: 'otra@dos.mx' });

    expect(await idsAt('/students?q=QUETZAL')).toEqual([a, b]);
    expect(await idsAt(`/students?q=quetzal&school_id=${school}`)).toEqual([a]);
    expect(await idsAt('/students?q=zo%C3%A9%20quet')).toEqual([a]);
    expect(await idsAt('/students?q=otra%40dos')).toEqual([b]);
    expect(await idsAt(`/students?school_id=${school}`)).toEqual([a]);
    expect(await idsAt('/students?school_id=999999')).toEqual([]);
  });

  test("invoices: student, school, status, due range, overdue by the school's calendar", async () => {
    const school = await billing.aSchool({ timezone: 'America/Mexico_City' });
    const [one, two] = [await billing.aStudent({ school_id: school }), await billing.aStudent({ school_id: school })];
    const invoice = async (student: number, due_date: string): Promise<number> =>
      await billing.anInvoice({ student_id: student, amount_total: '100.00', due_date });
    const [late, today, paid, voided] = [
      await invoice(one, '2026-05-09'),
      await invoice(one, '2026-05-10'),
      await invoice(two, '2026-05-08'),
      await invoice(two, '2026-05-07'),
    ];
    await billing.aPayment(late, '1.00');
    await billing.aPayment(paid, '100.00');
    await billing.delete(`/invoices/${voided}`);
    const of = `/invoices?school_id=${school}`;

    expect(await idsAt(of)).toEqual([late, today, paid, voided]);
    expect(await idsAt(`/invoices?student_id=${two}`)).toEqual([paid, voided]);
    expect(await idsAt(`${of}&status=ISSUED`)).toEqual([today]);
    expect(await idsAt(`${of}&status=PARTIAL`)).toEqual([late]);
    expect(await idsAt(`${of}&status=PAID`)).toEqual([paid]);
    expect(await idsAt(`${of}&status=VOID`)).toEqual([voided]);
    expect(await idsAt(`${of}&status=ISSUED,PARTIAL`)).toEqual([late, today]);
    expect(await idsAt(`${of}&status=VOID,PAID,VOID`)).toEqual([paid, voided]);
    expect(await idsAt(`${of}&due_from=2026-05-09`)).toEqual([late, today]);
    expect(await idsAt(`${of}&due_to=2026-05-08`)).toEqual([paid, voided]);
    expect(await idsAt(`${of}&due_from=2026-05-08&due_to=2026-05-09`)).toEqual([late, paid]);
    expect(await idsAt(`${of}&due_from=2026-05-10&due_to=2026-05-09`)).toEqual([]);

    // 10 May ends in Mexico City at 06:00 UTC: until then what is due on it is not overdue.
    billing.clock.travelTo('2026-05-11T05:59:59.999Z');
    expect(await idsAt(`${of}&overdue=true`)).toEqual([late]);
    expect(await idsAt(`${of}&overdue=false`)).toEqual([today, paid, voided]);
    billing.clock.travelTo('2026-05-11T06:00:00Z');
    expect(await idsAt(`${of}&overdue=true`)).toEqual([late, today]);
    expect(await idsAt(`/invoices?student_id=${one}&overdue=true&status=ISSUED`)).toEqual([today]);
  });

  test("payments: invoice, student, school, method, and days of the school's calendar or instants", async () => {
    const school = await billing.aSchool({ timezone: 'America/Mexico_City' });
    const student = await billing.aStudent({ school_id: school });
    const invoice = await billing.anInvoice({ student_id: student });
    const other = await billing.anInvoice({ student_id: await billing.aStudent({ school_id: school }) });
    const paid = async (on: number, paid_at: string, method: string | null): Promise<number> =>
      await billing.aPayment(on, '1.00', { paid_at, method });
    const [before, first, last, after] = [
      await paid(invoice, '2026-05-10T05:59:59.999Z', 'CASH'),
      await paid(invoice, '2026-05-10T06:00:00.000Z', 'CARD'),
      await paid(other, '2026-05-11T05:59:59.999Z', 'CASH'),
      await paid(other, '2026-05-11T06:00:00.000Z', null),
    ];
    const of = `/payments?school_id=${school}`;

    expect(await idsAt(of)).toEqual([before, first, last, after]);
    expect(await idsAt(`/payments?invoice_id=${invoice}`)).toEqual([before, first]);
    expect(await idsAt(`/payments?student_id=${student}`)).toEqual([before, first]);
    expect(await idsAt(`/payments?student_id=${student}&invoice_id=${other}`)).toEqual([]);
    expect(await idsAt(`${of}&method=CASH`)).toEqual([before, last]);
    expect(await idsAt(`${of}&paid_from=2026-05-10`)).toEqual([first, last, after]);
    expect(await idsAt(`${of}&paid_to=2026-05-10`)).toEqual([before, first, last]);
    expect(await idsAt(`${of}&paid_from=2026-05-10&paid_to=2026-05-10`)).toEqual([first, last]);
    expect(await idsAt(`${of}&paid_from=2026-05-10&paid_to=2026-05-10&student_id=${student}`)).toEqual([first]);
    expect(await idsAt(`${of}&paid_from=2026-05-10T06:00:00Z&paid_to=2026-05-11T05:59:59.999Z`)).toEqual([first, last]);
    expect(await idsAt(`${of}&paid_from=2026-05-10T00:00:00.001-06:00`)).toEqual([last, after]);
    expect(await idsAt(`/payments?school_id=999999`)).toEqual([]);
  });

  // In Havana the hour after midnight comes twice when summer time ends: both belong to the same day. No zone is further
  // ahead of Greenwich than that of Kiritimati.
  test.each([
    ['America/Havana', '2026-11-01', '2026-11-01T04:30:00Z', '2026-11-01T05:30:00Z', '2026-10-31'],
    ['Pacific/Kiritimati', '2026-06-01', '2026-05-31T10:00:00Z', '2026-06-01T09:59:00Z', '2026-05-31'],
  ])('payments: the days of %s are those of its ledger, such as %s', async (timezone, day, early, late, dayBefore) => {
    const school = await billing.aSchool({ timezone });
    const invoice = await billing.anInvoice({ student_id: await billing.aStudent({ school_id: school }) });
    const ids: number[] = [];
    for (const paid_at of [early, late]) ids.push(await billing.aPayment(invoice, '1.00', { paid_at }));
    const of = `/payments?school_id=${school}`;

    expect(await idsAt(`${of}&paid_from=${day}&paid_to=${day}`)).toEqual(ids);
    expect(await idsAt(`${of}&paid_to=${dayBefore}`)).toEqual([]);
    const { body } = await billing.get<{ entries: unknown[] }>(`/schools/${school}/ledger?from=${day}&to=${day}`);
    expect(body.entries).toHaveLength(2);
  });

  test('number: of invoices and credit notes, the whole of it, in one school or all', async () => {
    const [one, two] = [await billing.anInvoice(), await billing.anInvoice()];
    const { number, school_id: school } = (await billing.get(`/invoices/${one}`)).body;
    expect(await idsAt(`/invoices?number=${number}&school_id=${school}`)).toEqual([one]);
    expect(await idsAt(`/invoices?number=${number}`)).toEqual(expect.arrayContaining([one, two]));
    expect(await idsAt(`/invoices?number=${String(number).slice(0, -1)}`)).toEqual([]);

    const note = (await billing.post(`/invoices/${one}/credit-notes`, { amount: 1, reason: 'other' })).body;
    expect(await idsAt(`/credit-notes?number=${note['number']}&school_id=${school}`)).toEqual([note['id']]);
    expect(await idsAt(`/credit-notes?number=${note['number']}&school_id=${schoolId}`)).not.toContain(note['id']);
  });

  test('payments: reference, all of it, whatever white space is around it', async () => {
    const invoice = await billing.anInvoice();
    const plain = await billing.aPayment(invoice, '1.00', { reference: 'SPEI 8846120' });
    const spaced = await billing.aPayment(invoice, '2.00', { reference: ' SPEI 8846121 ' });
    const { school_id: school } = (await billing.get(`/invoices/${invoice}`)).body;

    for (const of of ['/payments?', `/payments?school_id=${school}&`]) {
      expect(await idsAt(`${of}reference=SPEI%208846120`)).toEqual([plain]);
      expect(await idsAt(`${of}reference=%20SPEI%208846120%09`)).toEqual([plain]);
      expect(await idsAt(`${of}reference=%20SPEI%208846121%20`)).toEqual([spaced]);
      expect(await idsAt(`${of}reference=SPEI`)).toEqual([]);
      expect(await idsAt(`${of}reference=spei%208846120`)).toEqual([]);
    }
  });

  test('updated_since: what is new or was changed then or later', async () => {
    const at = (minute: number): string => `2031-07-01T00:0${minute}:00.000Z`;
    const during = async <T>(minute: number, work: () => Promise<T>): Promise<T> => {
      billing.clock.travelTo(at(minute));
      return await work();
    };
    const [old, made] = [await during(1, () => billing.aSchool()), await during(3, () => billing.aSchool())];
    const student = await during(1, () => billing.aStudent({ school_id: old }));
    const invoice = await during(1, () => billing.anInvoice({ student_id: student }));
    const payment = await during(1, () => billing.aPayment(invoice, '1.00'));
    const note = await during(
      1,
      async () => (await billing.post(`/invoices/${invoice}/credit-notes`, { amount: 1, reason: 'other' })).body['id'],
    );
    const since = (minute: number): string => `updated_since=${at(minute)}&school_id=${old}`;

    expect(await idsAt(`/schools?updated_since=${at(3)}`)).toEqual([made]);
    expect(await idsAt(`/students?${since(1)}`)).toEqual([student]);
    expect(await idsAt(`/students?${since(2)}`)).toEqual([]);
    await during(4, () => billing.patch(`/students/${student}`, { first_name: 'Otra' }));
    expect(await idsAt(`/students?${since(4)}`)).toEqual([student]);
    for (const [list, id] of [
      ['invoices', invoice],
      ['payments', payment],
      ['credit-notes', note],
    ]) {
      expect(await idsAt(`/${list}?${since(1)}`)).toEqual([id]);
      expect(await idsAt(`/${list}?${since(2)}`)).toEqual([]);
    }
    await during(5, () => billing.post(`/payments/${payment}/reversal`, { reason: 'Otro' }));
    expect(await idsAt(`/payments?${since(5)}`)).toEqual([payment]);
    expect(await idsAt(`/invoices?${since(5)}`)).toEqual([invoice]);
    expect(await idsAt(`/credit-notes?${since(5)}`)).toEqual([]);
    await during(6, () => billing.post(`/credit-notes/${note}/reversal`, { reason: 'Otro' }));
    expect(await idsAt(`/credit-notes?${since(6)}`)).toEqual([note]);
  });

  test.each([
    '/schools?is_active=1',
    '/schools?is_active=TRUE',
    '/schools?is_active=',
    '/schools?country=XX',
    '/schools?country=',
    '/schools?q=',
    '/schools?q=%00',
    '/schools?q=%20%09%E2%80%8B',
    '/students?q=a+b+c+d+e+f+g+h+i',
    '/schools?updated_since=2026-01-01',
    '/students?updated_since=2026-01-01T00:00:00',
    '/schools?number=F-1',
    `/schools?q=${'x'.repeat(256)}`,
    '/schools?name=x',
    '/students?school_id=0',
    '/students?school_id=abc',
    '/students?school_id=1.0',
    '/students?school_id=9223372036854775808',
    '/students?school_id=1&school_id=2',
    '/students?q=a%00b',
    '/students?email=x',
    '/invoices?student_id=-1',
    '/invoices?school_id=x',
    '/invoices?status=issued',
    '/invoices?status=OVERDUE',
    '/invoices?status=',
    '/invoices?status=ISSUED,',
    '/invoices?status=ISSUED,PAIDD',
    '/invoices?status=ISSUED&status=PAID',
    '/invoices?number=',
    '/payments?reference=',
    '/invoices?due_from=2026-02-30',
    '/invoices?due_from=infinity',
    '/invoices?due_to=2026-1-1',
    '/invoices?due_to=2026-01-01T00:00:00Z',
    '/invoices?overdue=yes',
    '/invoices?overdue=0',
    '/payments?invoice_id=x',
    '/payments?student_id=0',
    '/payments?school_id=1e1',
    '/payments?method=cash',
    '/payments?method=null',
    '/payments?paid_from=yesterday',
    '/payments?paid_from=2026-05-10T00:00:00',
    '/payments?paid_from=2026-02-29',
    '/payments?paid_to=infinity',
    '/payments?paid_to=2026-05-10T25:00:00Z',
    '/payments?paid_to=9999-12-31T23:59:59-14:00',
    `/invoices/${invoiceId}/payments?method=CASH`,
  ])('422: %s', async (path) => {
    const name = path.slice(path.indexOf('?') + 1, path.indexOf('=')) || '';
    expectProblem(await billing.get(path), 422, 'request_invalid', [`#/${name}`]);
  });

  test('200: the first and the last day there are', async () => {
    for (const path of [
      '/payments?paid_from=0001-01-01&paid_to=9999-12-31',
      '/invoices?due_from=0001-01-01&due_to=9999-12-31',
      '/invoices?updated_since=0001-01-01T00:00:00Z',
      '/payments?updated_since=0001-01-01T00:00:00Z&paid_from=0001-01-01T00:00:00Z&paid_to=9999-12-31T23:59:59.999Z',
      '/credit-notes?updated_since=0001-01-01T00:00:00Z&dated_from=0001-01-01&dated_to=9999-12-31',
    ]) {
      expect((await billing.get<Row[]>(path)).body.length).toBeGreaterThan(9);
    }
    expect((await billing.get('/invoices?updated_since=9999-12-31T23:59:59.999Z')).text).toBe('[]');
  });
});
